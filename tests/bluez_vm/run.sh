#!/usr/bin/env bash
# Runs the BlueZ tier: tests/test_training_over_the_air.py in the virtual machine of build.sh, which is built if need be.
# Shows the guest's console; the exit status is that of pytest, or 99 if the guest did not come to an end.
#
#   tests/bluez_vm/run.sh [ARGUMENT_OF_PYTEST...]
#
# LIMIT_S is how long it may take. Where KVM works the guest runs in seconds; elsewhere QEMU emulates the processor, for
# minutes. QEMU_ACCEL=tcg asks for the second.
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

machine=(-M q35 -nodefaults -no-reboot -display none)
with_kvm=(-accel kvm -cpu max,-arch-capabilities) # a KVM inside a virtual machine may lack those registers
emulated=(-accel tcg,thread=multi -cpu max)

# boot ARGUMENT_OF_QEMU...: run the job; the status is that of pytest, or 99.
boot() {
    timeout "${LIMIT_S:-900}" qemu-system-x86_64 "${machine[@]}" "$@" -smp 2 -m 1536 \
        -serial stdio -device virtio-rng-pci -kernel "$vm/vmlinuz" -initrd "$vm/initrd.img" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on nokaslr audit=0 tsc=reliable" \
        -drive "file=$vm/rootfs.ext4,if=virtio,format=raw,snapshot=on,cache=unsafe" \
        -virtfs "local,path=$job,mount_tag=job,security_model=none,readonly=on" \
        < /dev/null | tee "$temporary/console" || true
    return "$(sed -n 's/^GUEST_STATUS=\([0-9]*\).*/\1/p' "$temporary/console" | tail -n 1 | grep . || echo 99)"
}

status=99
if [ "${QEMU_ACCEL:-kvm}" = kvm ] && [ -w /dev/kvm ] &&
    timeout 20 qemu-system-x86_64 "${machine[@]}" "${with_kvm[@]}" -S -monitor stdio <<< quit > /dev/null 2>&1; then
    LIMIT_S=${KVM_LIMIT_S:-240} boot "${with_kvm[@]}" && status=0 || status=$?
    [ $status != 99 ] || echo "the guest does not run on KVM here: once more on an emulated processor"
fi
if [ $status = 99 ]; then
    boot "${emulated[@]}" && status=0 || status=$?
fi
exit $status
