"""`imu web` as a process of its own, for tests: started, asked with real requests, ended."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

IMU = [sys.executable, "-c", "from imu.app.cli import main; main()"]
STARTS_WITHIN_S = 60.0


@dataclass
class Served:
    """A server that runs, its address and the key to it."""

    process: subprocess.Popen[str]
    port: int
    key: str
    home: Path

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        return f"imu_{self.port}={self.key}"

    def with_key(self, path: str = "/") -> str:
        return f"{self.root}{path}?key={self.key}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask once, with exactly these headers (``_`` stands for ``-``; ``Host`` is there by itself)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        """End the server; return what else it said."""
        self.process.send_signal(how)
        return self.process.communicate(timeout=60)[0]


@contextmanager
def served(home: Path, *arguments: str, command: str = "web", person: str | None = None) -> Iterator[Served]:
    pytest.importorskip("nicegui", reason='needs NiceGUI: python -m pip install "imu-training[web]"')
    environment = os.environ | {
        "IMU_HOME": str(home),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "BROWSER": "true",
    }
    if person is not None:
        environment["IMU_PERSON"] = person
    if command == "web":
        arguments = (*arguments, "--no-browser", "--port", "0")
    process = subprocess.Popen(
        [*IMU, command, *arguments],
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said = _first_words(process)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S*\?key=(\w+)", said)
        assert found, said
        yield Served(process, int(found[1]), found[2], home)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _first_words(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said, give_up_s = "", time.monotonic() + STARTS_WITHIN_S
    while "key=" not in said and time.monotonic() < give_up_s:
        if select.select([process.stdout], [], [], 0.2)[0]:
            line = process.stdout.readline()
            if not line:
                break
            said += line
    return said
