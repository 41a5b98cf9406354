"""Evaluation: loss and metrics on the validation part."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainer import graph
from trainer.callback import Callback, Context
from trainer.checks import check_optional_choice
from trainer.errors import RequestError
from trainer.schedule import Schedule
from trainer.state import WEIGHTS
from trainer.timing import told

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext


SHORT_SECS = 0.2
"""Seconds of an evaluation that need neither a word nor a way to be ended: a thread takes a share of a short one."""


class Evaluate(Callback):
    """Reports ``val_loss`` and ``val_<metric>`` over all validation examples, in inference mode.

    Where the data has several validation parts, each has its name: ``val_<part>_loss``. Does nothing where the data
    has none.

    Args:
        every_n_epochs: Epochs between two evaluations; the loop stops there.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer keeps any.

    Raises:
        TypeError, ValueError: The value is not a positive whole number.

    Example:
        >>> Evaluate(every_n_epochs=5).schedule.is_never  # until there is a validation part
        True
    """

    def __init__(self, *, every_n_epochs: int = 1, weights: str | None = None) -> None:
        self._schedule = Schedule(every_n_epochs=every_n_epochs)
        self._weights = check_optional_choice("weights", weights, WEIGHTS)
        self._evaluations: Mapping[str, graph.Evaluation] = {}
        self._secs = float("inf")

    def reported_metrics(self, build: GraphContext) -> Sequence[str]:
        """Returns ``val_...`` for each metric and validation part.

        Raises:
            RequestError: Two metrics would have one name.
        """
        prefixes = [graph.prefix_of(part) for part in build.source.validation]
        names = [f"{prefix}{name}" for prefix in prefixes for name in build.evaluated.names]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise RequestError(
                f"two validation parts report {twice[0]!r}; give one of them another name", argument="validation"
            )
        return names

    def on_build(self, build: GraphContext) -> None:
        """Adds the evaluations to the graph; without a validation part the loop need not stop."""
        self._averages = graph.chosen_averages(build.averages, self._weights)
        self._evaluations = graph.make_evaluations(build)
        if self._evaluations:
            self.schedule = self._schedule
            self.may_be_cut = True

    def on_train_begin(self, context: Context) -> None:
        """Feeds the validation parts to the session."""
        with told("feeding the validation part") if self._evaluations else contextlib.nullcontext():
            for evaluation in self._evaluations.values():
                evaluation.initialise(context.session)

    def on_step_end(self, context: Context) -> None:
        """Evaluates."""
        if not self._evaluations:
            return
        with self._averages.in_place(context.session) if self._averages else contextlib.nullcontext():
            values = self._values(context.session)
        context.report(values)

    def _values(self, session: Any) -> Mapping[str, float]:
        """Returns the values; where the evaluation before took long, from another thread, so that a signal ends it."""
        began = time.monotonic()
        if self._secs <= SHORT_SECS:
            values = self._run(session)
        else:
            with told("evaluating"):
                values = graph.in_background(lambda: self._run(session))
        self._secs = time.monotonic() - began
        return values

    def _run(self, session: Any) -> dict[str, float]:
        found = {prefix: evaluation.run(session) for prefix, evaluation in self._evaluations.items()}
        return {f"{prefix}{name}": value for prefix, values in found.items() for name, value in values.items()}
