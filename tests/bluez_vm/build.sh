#!/usr/bin/env bash
# Builds the virtual machine of the BlueZ tier, unless it is there and nothing has changed: Debian's kernel and BlueZ, and
# the Python packages that the client and the virtual radio need. Prints the folder that it is in, $BLUEZ_VM.
#
#   apt-get install --no-install-recommends qemu-system-x86 mmdebstrap cpio kmod e2fsprogs util-linux
#
# As root, on amd64, with Debian's mirror and PyPI in reach. On this computer no module is loaded and nothing is mounted.
set -euo pipefail
unset PYTHONPYCACHEPREFIX # the guest's bytecode lies beside its source
exec 3>&1 1>&2 # on standard output only the folder
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$here/../../pyproject.toml
vm=${BLUEZ_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/imu-training/bluez_vm}
python=${PYTHON:-python3}  # 3.11 or newer; the guest has its own
guest_python=3.11          # bookworm's

# What the guest's tests import: no web page, no Parquet, no FIT.
requirements() {
    "$python" - "$project" <<'EOF'
import re, sys, tomllib
with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
tests = [each for each in extras["test"] if re.match(r"(pytest|hypothesis)\b", each)]
for each in project["dependencies"] + extras["virtual"] + tests:
    print(each)
EOF
}

mkdir -p "$vm"
exec 9> "$vm/lock" && flock 9 # two builders at once would spoil it
made_of=$(cat "$here"/{build.sh,guest_init.sh,initrd_init.sh} <(requirements) | sha256sum | cut -d' ' -f1)
if [ -f "$vm/rootfs.ext4" ] && [ "$(cat "$vm/made_of" 2>/dev/null)" = "$made_of" ]; then
    echo "$vm" >&3
    exit
fi

export PATH=$PATH:/usr/sbin:/sbin
say() { echo "[build ${SECONDS}s] $*"; }
rm -rf "$vm/made_of" "$vm"/build.* # what a builder that was killed has left
temporary=$(mktemp -d "$vm/build.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
root=$temporary/root kernel=$temporary/kernel initrd=$temporary/initrd

say "Debian"
# The kernel is taken out of its package, not installed: its dependencies make an initrd, at length, that is of no use.
mmdebstrap --quiet --mode=root --variant=minbase --include=bluez,dbus,python3,busybox-static,kmod \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG && cd '"$temporary"' && apt-get download -qq -o APT::Sandbox::User=root \
        "$(apt-cache depends linux-image-amd64 | sed -n "s/^ *Depends: \(linux-image-.*\)/\1/p" | head -n 1)"' \
    bookworm "$temporary/root.tar"
mkdir "$root" && tar -C "$root" -xf "$temporary/root.tar" --exclude='./dev/*' && rm "$temporary/root.tar"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

say "kernel"
dpkg-deb -x "$temporary"/linux-image-*.deb "$kernel"
cp "$kernel"/boot/vmlinuz-* "$vm/vmlinuz"
release=$(basename "$kernel"/lib/modules/*)
modules=$kernel/lib/modules/$release
depmod -b "$kernel" "$release"
needed_by() { modprobe -d "$kernel" -S "$release" --show-depends "$1" | awk '/^insmod/ {print $2}'; }
# All that the initrd does is to mount the disk.
mkdir -p "$initrd"/{bin,proc,sys,dev,mnt,modules}
for module in virtio_pci virtio_blk ext4; do needed_by "$module"; done | awk '!seen[$0]++' \
    | { number=100; while read -r file; do cp "$file" "$initrd/modules/$((number++))-$(basename "$file")"; done; }
cp "$root/bin/busybox" "$initrd/bin/" && ln -s busybox "$initrd/bin/sh"
install -m 755 "$here/initrd_init.sh" "$initrd/init"
(cd "$initrd" && find . | cpio --quiet -o -H newc) > "$vm/initrd.img"
# The kernel itself asks for the modules of pairing (cmac, ecb, ecdh); without them there is no adapter.
mkdir -p "$root/usr/lib/modules/$release"
cp "$modules"/modules.{builtin*,order} "$root/usr/lib/modules/$release/"
(
    cd "$modules"
    find kernel/crypto kernel/lib kernel/arch/x86/crypto kernel/net/bluetooth -name '*.ko'
    for module in 9p 9pnet_virtio virtio_rng hci_vhci uhid; do needed_by "$module" | sed "s#^$modules/##"; done
) | sort -u | (cd "$modules" && cpio --quiet -pdm "$root/usr/lib/modules/$release")
depmod -b "$root" "$release"

say "Python packages"
mapfile -t packages < <(requirements)
"$python" -m venv "$temporary/venv"
"$temporary/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --target "$root/opt/site" \
    --python-version "$guest_python" --only-binary=:all: "${packages[@]}"
rm -rf "$root"/opt/site/{bin,include} "$root"/opt/site/pandas/tests
find "$root/opt/site/scipy" -type d -name tests -prune -exec rm -rf {} +
chroot "$root" "python$guest_python" -m compileall -q /opt/site || say "some packages hold files that do not compile"
install -m 755 "$here/guest_init.sh" "$root/sbin/guest_init"

say "disk"
rm -f "$vm/rootfs.ext4"
mke2fs -q -t ext4 -d "$root" -O ^has_journal -m 0 "$vm/rootfs.ext4" "$(($(du -sm "$root" | cut -f1) * 12 / 10 + 64))M"
echo "$made_of" > "$vm/made_of"
say "done: $(du -ch "$vm"/{vmlinuz,initrd.img,rootfs.ext4} | tail -n 1 | cut -f1) in $vm"
echo "$vm" >&3
