"""Cost of the checks that stand in for those of TensorFlow's kernels in compiled steps, and of the kept copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.cases import CASES, data, loss_of
from benchmarks.processes import Figures
from benchmarks.trainer_job import Model

STEPS = 1000
"""Steps in a call, as in a run of small steps."""


class Weighted(Model):
    """Net with a sparse cross entropy, weighted by a table that is looked up by the label."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the weighted loss."""
        import tensorflow as tf

        weights = tf.gather(tf.linspace(0.5, 1.5, self.case.classes), labels["y"])
        return loss_of(self.case, outputs["op"], labels["y"]) * tf.reduce_mean(weights)


def compiled_graph(*, checked: bool) -> Any:
    """Returns the training graph of the case ``dense`` with compiled steps, with or without checks."""
    import keras

    from trainer.data.arrays import Arrays, InMemory
    from trainer.graph.build import open_graph
    from trainer.graph.calls import add_calls
    from trainer.graph.data.data_source import inspect_source

    case = CASES["dense"]
    x, y = data(case)
    source = inspect_source(InMemory(Arrays({"x": x}, {"y": y}), case.batch_size))
    built = open_graph(
        lambda: Weighted(case),
        lambda _step, _scale: keras.optimizers.SGD(case.learning_rate),
        source,
        0,
        "xla",
        steps_per_epoch=source.steps_per_epoch,
    )
    with patch("trainer.graph.calls.needs_checks", lambda _graph: checked), built.context.graph.as_default():
        graph = add_calls(built, STEPS, 10**9)
    if graph.compiled is None or (graph.compiled.completed is not None) != checked:
        raise RuntimeError("the steps do not have the checks that are to be measured")
    return graph


@contextmanager
def opened(graph: Any, *, copies: bool) -> Iterator[Any]:
    """Opens a session, warmed up, that keeps copies of the variables or does not."""
    from trainer.training.session import TrainingSession

    with TrainingSession(graph) as session:
        session.initialise()
        for _ in range(3):
            session.step(session.max_steps)
        if not copies:
            session._inquiry.before_call = lambda: None
        yield session


def measure_checks(secs: float) -> Figures:
    """Worker: microseconds of a step with and without the checks, and what they cost; the two take turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    graphs = {checked: compiled_graph(checked=checked) for checked in times}
    with opened(graphs[True], copies=True) as checked, opened(graphs[False], copies=False) as bare:
        steps, limit = checked.max_steps, time.perf_counter() + secs
        turns = [(True, checked), (False, bare)]
        while time.perf_counter() < limit:
            turns.reverse()
            for with_checks, session in turns:
                began = time.perf_counter()
                session.step(steps)
                times[with_checks].append(time.perf_counter() - began)
    medians = {key: statistics.median(values) / steps * 1e6 for key, values in times.items()}
    means = {key: statistics.fmean(values) for key, values in times.items()}
    return {
        "checked_us": medians[True],
        "bare_us": medians[False],
        "cost_percent": 100 * (medians[True] / medians[False] - 1),
        "cost_percent_of_the_mean": 100 * (means[True] / means[False] - 1),
    }
