#!/bin/busybox sh
# The first thing the guest's kernel runs: load what the disk needs, mount it, go on there.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod "$module" 2>/dev/null; done # some are built in
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 200 ]; do $b usleep 50000; tries=$((tries + 1)); done
$b mount -t ext4 -o rw,noatime /dev/vda /mnt || { echo "the disk cannot be mounted"; $b poweroff -f; }
$b mount --move /dev /mnt/dev
exec $b switch_root /mnt /sbin/guest_init
