"""Progress in plain lines and as a bar."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

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
        progress.on_train_begin(here)
        for step in range(1, 25):
            clock.now = step * 0.5
            here.record = RunState(step // 5, step, {"loss": 0.5, "steps_per_sec": 2.0})
            progress.on_step_end(here)
        progress.on_train_end(here)
    assert caplog.messages == [
        "epoch 2/10: loss 0.5, 2.0 steps/s",
        "epoch 4/10: loss 0.5, 2.0 steps/s",
        "epoch 4/10: loss 0.5, 2.0 steps/s",
    ]


def test_a_line_before_the_first_metrics(caplog) -> None:
    clock = Clock()
    progress, here = Progress(every_n_secs=5, clock=clock), context()
    with caplog.at_level(logging.INFO):
        progress.on_train_begin(here)
        clock.now = 5.0
        here.record = RunState(0, 1, {})
        progress.on_step_end(here)
    assert caplog.messages == ["epoch 0/10: 0.2 steps/s"]


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
    assert "epoch 10/10: 100%" in shown.out
    assert "loss 0.5" in shown.out
    assert (shown.err, caplog.messages) == ("", [])
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
