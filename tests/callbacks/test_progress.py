"""Progress in plain lines and as a bar."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import struct
import sys
import termios
from dataclasses import replace
from types import SimpleNamespace

import pytest

from callbacks.progress import Progress, in_notebook
from tests.callbacks.contexts import context
from trainer.state import RunState


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_at_most_every_few_seconds(caplog) -> None:
    clock = Clock()
    progress, here = Progress(every_n_secs=5, clock=clock), context()
    with caplog.at_level(logging.INFO):
        here.means_so_far = lambda: {"loss": 0.25}
        progress.on_train_begin(here)
        for step in range(1, 25):
            clock.now = step * 0.5
            here.record = RunState(step // 5, step, {"loss": 0.5, "steps_per_sec": 2.0})
            progress.on_step_end(here)
        progress.on_train_end(here)
    assert caplog.messages == [
        "epoch 3/10: step 1/5, loss 0.25, 2.0 steps/s, 2 s left, run 20 s",
        "epoch 5/10: step 1/5, loss 0.25, 2.0 steps/s, 2 s left, run 14 s",
        "epoch 5/10: step 4/5, loss 0.25, 2.0 steps/s, 1 s left, run 13 s",
    ]


def test_a_line_before_the_first_metrics(caplog) -> None:
    clock = Clock()
    progress, here = Progress(every_n_secs=5, clock=clock), context()
    with caplog.at_level(logging.INFO):
        progress.on_train_begin(here)
        clock.now = 5.0
        here.record = RunState(0, 1, {})
        progress.on_step_end(here)
    assert caplog.messages == ["epoch 1/10: step 1/5"]


def test_short_epochs_show_the_last_complete_one(caplog) -> None:
    clock = Clock()
    progress, here = Progress(every_n_secs=5, clock=clock), context()
    with caplog.at_level(logging.INFO):
        progress.on_train_begin(here)
        here.means_so_far = lambda: {"loss": 0.25}
        for now, step in ((0.5, 1), (5.5, 21)):
            clock.now = now
            here.record = RunState(step // 5, step, {"loss": 0.5})
            progress.on_step_end(here)
        here.record = RunState(4, 22, {"loss": 0.5})
        progress.on_train_end(here)
    assert caplog.messages == [
        "epoch 4/10: loss 0.5, 4.0 steps/s, 7 s left",
        "epoch 4/10: loss 0.5, 4.0 steps/s, 7 s left",
    ]


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_a_bar_never_wraps_and_its_widths_only_grow(columns, monkeypatch) -> None:
    """The texts at their places while numbers grow and shrink, on terminals of several widths."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    with os.fdopen(theirs, "w") as screen, os.fdopen(ours, "rb", buffering=0) as seen:
        monkeypatch.setattr(sys, "stderr", screen)
        clock = Clock()
        progress, here = Progress(clock=clock), replace(context(), steps_per_epoch=15_000)
        progress.on_train_begin(here)
        for step in (1, 200, 9_000, 14_999, 15_000, 15_001, 29_000):
            clock.now += 0.5 + step % 7
            here.record = RunState(step // 15_000, step, {"loss": 1 / step, "accuracy": 0.5})
            progress.on_step_end(here)
        progress.on_train_end(here)
        screen.flush()
        shown = [line.rstrip() for line in seen.read(20_000).decode().split("\r") if line.strip()]
    assert len(shown) >= 8
    assert all(len(line) <= columns for line in shown)
    assert ("loss" in shown[-1]) == (columns >= 40)
    assert ("881 steps/s" in shown[-1]) == (columns >= 80)
    if columns == 200:
        assert "step 14,000/15,000, loss" in shown[-1]
        assert len({line.index("step") for line in shown[1:]}) == 1
        assert len({line.index(" steps/s") for line in shown[4:]}) == 1


def test_a_notebook_gets_a_bar_on_its_own_output(monkeypatch, capsys, caplog) -> None:
    class ZMQInteractiveShell:
        """Stands for the shell of a notebook's kernel."""

    class Colab(ZMQInteractiveShell):
        pass

    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Colab))
    assert in_notebook()
    progress, here = Progress(), context()
    with caplog.at_level(logging.INFO):
        progress.on_train_begin(here)
        here.record = RunState(10, 50, {"loss": 0.5})
        progress.on_train_end(here)
    shown = capsys.readouterr()
    assert "epoch 10/10 |" in shown.out
    assert "loss 0.5" in shown.out
    assert (shown.err, caplog.messages) == ("", [])
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
