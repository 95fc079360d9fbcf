#!/usr/bin/env bash
# Runs the BlueZ tier: tests/test_training_over_the_air.py in the virtual machine of build.sh, which is built if need be.
# Shows the guest's console; the exit status is that of pytest, or 99 if the guest did not come to an end.
#
#   tests/bluez_vm/run.sh [ARGUMENT_OF_PYTEST...]
#
# LIMIT_S is how long it may take. QEMU emulates the processor: KVM is not asked for, as computers in the cloud lack it.
set -euo pipefail
unset PYTHONPYCACHEPREFIX # the guest's bytecode lies beside its source
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$here/../..
vm=$("$here/build.sh")

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
job=$temporary/job
mkdir "$job"
cp -r "$repository"/{imu,firmware_protocol,tests,pyproject.toml} "$job/"
find "$job" -name __pycache__ -prune -exec rm -rf {} +
"${PYTHON:-python3}" -m compileall -q --invalidation-mode unchecked-hash "$job" # the guest would take 10 s for it
{ [ $# = 0 ] || printf '%q ' "$@"; } > "$job/arguments"
cat > "$job/job.sh" <<'EOS2'
export BLE_TIER=bluez HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis # /job cannot be written to
# A minute of training in real time is left to the virtual tier.
eval "exec timeout 600 python3 -m pytest -o addopts= -p no:cacheprovider --color=no --durations=0 -v tests/test_training_over_the_air.py \
    --deselect tests/test_training_over_the_air.py::test_a_minute_with_five_drops_counts_as_an_undisturbed_one $(cat arguments)"
EOS2

timeout "${LIMIT_S:-900}" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -smp 2 -m 1536 -cpu max \
    -nodefaults -no-reboot -display none -serial stdio -device virtio-rng-pci \
    -kernel "$vm/vmlinuz" -initrd "$vm/initrd.img" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on nokaslr audit=0 tsc=reliable" \
    -drive "file=$vm/rootfs.ext4,if=virtio,format=raw,snapshot=on,cache=unsafe" \
    -virtfs "local,path=$job,mount_tag=job,security_model=none,readonly=on" \
    < /dev/null | tee "$temporary/console" || true
exit "$(sed -n 's/^GUEST_STATUS=\([0-9]*\).*/\1/p' "$temporary/console" | tail -n 1 | grep . || echo 99)"
