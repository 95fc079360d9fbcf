#!/bin/sh
# The guest's PID 1: D-Bus, bluetoothd, the job, power off. There is no systemd. The job's status is the last line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "[guest $(cut -d' ' -f1 /proc/uptime)s] $*"; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/dbus /dev/pts /dev/shm /job
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
busybox ifconfig lo 127.0.0.1 up
for module in 9pnet_virtio 9p virtio_rng hci_vhci; do modprobe $module || say "modprobe $module failed"; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro job /job || say "there is no /job"
[ -c /dev/vhci ] || say "there is no /dev/vhci"

dbus-uuidgen --ensure
dbus-daemon --system --fork --nopidfile
/usr/libexec/bluetooth/bluetoothd -n > /tmp/bluetoothd.log 2>&1 &
has_owner() { dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner "string:$1"; }
tries=0
until has_owner org.bluez 2>/dev/null | grep -q true || [ $tries -gt 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
say "bluetoothd $(/usr/libexec/bluetooth/bluetoothd --version), Linux $(uname -r)"

cd /job && PYTHONPATH=/job:/opt/site PYTHONDONTWRITEBYTECODE=1 HOME=/tmp sh ./job.sh
status=$?
if [ $status != 0 ]; then
    say "bluetoothd said:"
    tail -n 30 /tmp/bluetoothd.log
    say "the kernel said:"
    dmesg | grep -i blue | tail -n 30
fi
say "the end"
echo "GUEST_STATUS=$status"
busybox poweroff -f
