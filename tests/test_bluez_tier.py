"""The BlueZ tier: the tests over the air once more, on bleak's BlueZ backend, D-Bus, bluetoothd and a Linux kernel.

They run in a virtual machine (``tests/bluez_vm``), as BlueZ takes root and the whole computer's Bluetooth.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm

HERE = Path(__file__).parent
RUN = HERE / "bluez_vm/run.sh"
LEFT_OUT = {"test_a_minute_with_five_drops_counts_as_an_undisturbed_one"}
"""Too much for an emulated processor."""


@pytest.mark.skipif(
    not os.environ.get("BLE_TIER_VM"), reason="takes minutes, QEMU and root: BLE_TIER_VM=1, or tests/bluez_vm/run.sh"
)
def test_the_client_passes_on_bluez_what_it_passes_on_the_virtual_radio() -> None:
    over_the_air = (HERE / "test_training_over_the_air.py").read_text(encoding="utf-8")
    expected = set(re.findall(r"^async def (test_\w+)", over_the_air, re.MULTILINE)) - LEFT_OUT
    ran = subprocess.run(
        [RUN],
        env=os.environ | {"PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    results = set(re.findall(r"::(test_\w+)\S* (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", ran.stdout))
    if ran.returncode != 0 or results != {(name, "PASSED") for name in expected}:
        pytest.fail(f"{RUN} ended with {ran.returncode}:\n{ran.stdout}", pytrace=False)
