"""The session of a run: opened, initialised or restored, stepped, closed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.graph.build import TrainingGraph

v1 = tf.compat.v1


class TrainingSession:
    """A session over the finalized graph, which is the default one inside the ``with`` block.

    Args:
        graph: finalized when the session is entered.
    """

    def __init__(self, graph: TrainingGraph) -> None:
        self._graph = graph

    def __enter__(self) -> TrainingSession:
        graph = self._graph.build.graph
        graph.finalize()
        # A Saver refuses to work where no graph is the default one.
        with contextlib.ExitStack() as stack:
            stack.enter_context(graph.as_default())
            self.session = stack.enter_context(contextlib.closing(v1.Session(graph=graph)))
            self._call = self.session.make_callable(self._graph.metrics, [self._graph.count])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def initialise(self) -> None:
        """Gives every variable its initial value and fills the feed."""
        self.session.run([self._graph.initialise, self._graph.initialise_tables])
        self._graph.feed.initialise(self.session)

    def restore(self, prefix: Path) -> None:
        """Puts every variable, and the position of a data pipeline, where a checkpoint has it.

        Args:
            prefix: of the checkpoint's files, of which ``check_fits`` has found that they fit.
        """
        self._graph.build.restorer.restore(self.session, str(prefix))

    def global_step(self) -> int:
        """Returns the number of updates that the variables have seen."""
        return int(self.session.run(self._graph.build.global_step))

    def step(self, count: int) -> np.ndarray[Any, Any]:
        """Runs ``count`` updates; returns their metrics, float32 [count, metrics]."""
        values: np.ndarray[Any, Any] = self._call(np.int32(count))
        return values
