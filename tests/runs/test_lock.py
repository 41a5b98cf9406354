"""The lock of a run, taken, seen from outside and left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.processes import ROOT
from trainer.errors import RequestError
from trainer.runs.lock import RunLock, look_at

HOLDER = """
import sys, time
from pathlib import Path
from trainer.runs.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_seen_from_outside_also_after_a_kill(tmp_path) -> None:
    path = tmp_path / "run.lock"
    assert look_at(path).state == "free"
    process = holder(path)
    seen = look_at(path)
    assert (seen.state, f"process {process.pid} on {socket.gethostname()}" in seen.holder) == ("held", True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert look_at(path).state == "left"
    with RunLock(path):
        assert look_at(path).state == "held"
    assert look_at(path).state == "free"


def test_the_file_of_another_host_says_nothing(tmp_path) -> None:
    path = tmp_path / "run.lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7}))
    seen = look_at(path)
    assert (seen.state, seen.holder) == ("elsewhere", "process 7 on elsewhere")
    with pytest.raises(RequestError, match="in use by process 7 on elsewhere, or was left so"), RunLock(path):
        pass
    assert path.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "{}"])
def test_a_file_without_a_name_is_of_this_host(tmp_path, content) -> None:
    (tmp_path / "run.lock").write_text(content)
    assert look_at(tmp_path / "run.lock").state == "left"
    assert look_at(tmp_path / "run.lock" / "inside").state == "free"


def test_a_look_keeps_no_run_from_starting(tmp_path) -> None:
    path, ended = tmp_path / "run.lock", threading.Event()
    path.write_text("{}")

    def look() -> None:
        while not ended.is_set():
            look_at(path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with RunLock(path):
                pass
            path.write_text("{}")
    finally:
        ended.set()
        looking.join()


def test_a_held_lock_is_refused_soon(tmp_path) -> None:
    with RunLock(tmp_path / "run.lock"):
        began = time.monotonic()
        with pytest.raises(RequestError, match="is in use by process"), RunLock(tmp_path / "run.lock"):
            pass
        assert time.monotonic() - began < 1.0
