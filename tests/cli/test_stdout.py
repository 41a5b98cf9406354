"""Standard streams that are closed, or whose readers are gone, in separate processes."""

from __future__ import annotations

import json
import logging

import pytest

from trainer.cli.stdout import PlainFormatter, plain
from trainer.graphdef.protos import GraphDef, NodeDef

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\tcolumns\nof ä and 漢字", "two\tcolumns\nof ä and 漢字"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("over\rwritten\x08", "over\\rwritten\\x08"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("turned\u202e round\u2066", "turned\\u202e round\\u2066"),
    ],
)
def test_control_characters_are_written_out(text, expected) -> None:
    assert plain(text) == expected
    record = logging.LogRecord("trainer", logging.INFO, "file", 1, "%s", (text,), None)
    assert PlainFormatter("%(message)s").format(record) == expected


def test_a_name_in_a_file_does_not_reach_the_terminal(bash, tmp_path) -> None:
    nodes = [NodeDef(name="x\x1b[31m", op="Placeholder"), NodeDef(name="y\x1b[2J", op="Neg", input=["x\x1b[31m"])]
    (tmp_path / "work").mkdir(exist_ok=True)
    (tmp_path / "work/model.pb").write_bytes(GraphDef(node=nodes).SerializeToString())
    done = bash("graph-trainer models show model.pb; graph-trainer models run model.pb --output 'z'")
    assert "\x1b" not in done.stdout + done.stderr
    assert "x\\x1b[31m" in done.stdout
