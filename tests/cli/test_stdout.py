"""Standard streams that are closed, or whose readers are gone, in separate processes."""

from __future__ import annotations

import json

import pytest

TRAIN = "graph-trainer +experiment=linear loop.epochs=1"

# Redirections of a shell, after which nothing of a run may be lost.
CLOSED = {"all": "<&- >&- 2>&-", "one": "2>&-", "broken pipe": "2>&1 | true", "full": ">/dev/full 2>&1"}


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED)
def test_it_trains_and_exits_with_0(bash, tmp_path, closed) -> None:
    done = bash(f"set -o pipefail; {TRAIN} {closed}")
    assert done.returncode == 0, done.stderr
    (facts,) = (tmp_path / "work").rglob("run.json")
    assert json.loads(facts.read_text())["status"] == "finished"
    # A descriptor that was free would have been given to a file, and the messages would be in it.
    texts = [path.read_bytes() for path in facts.parent.rglob("*") if path.is_file()]
    assert not any(b"finished: epoch" in text for text in texts)


def test_a_sweep_and_a_tool_do_so_too(bash, tmp_path) -> None:
    script = f"{TRAIN} -m seed=1,2 <&- >&- 2>&- && graph-trainer checkpoints list outputs/linear <&- >&- 2>&-"
    assert bash(script).returncode == 0
    assert len(list((tmp_path / "work").rglob("run.json"))) == 2


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&1 | true"])
def test_a_refusal_keeps_its_exit_code(bash, tmp_path, closed) -> None:
    for command in (f"{TRAIN} seed=abc", "graph-trainer checkpoints list nowhere"):
        assert bash(f"set -o pipefail; {command} {closed}").returncode == 2
    assert list((tmp_path / "work").iterdir()) == []
