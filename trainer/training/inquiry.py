"""Inquiry into a failed call: the state before it is put back, and the steps up to the bad one run again."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.errors import NonFiniteError, TrainerError
from trainer.graph.calls import TrainingGraph
from trainer.graph.data.debug_sources import RecordedFeed
from trainer.graph.data.feeds import ArrayFeed
from trainer.training.nan_origin import UpdateInputs, find_origin

v1 = tf.compat.v1
log = logging.getLogger(__name__)

Values = Mapping[str, Any]
"""Values of all global variables by name."""

MAX_KEPT_BYTES = 64 * 2**20
"""Max size of the variables of which a copy is kept: the copy takes as much memory again."""

MIN_SECS_BETWEEN_COPIES = 0.25

SECS_PER_BYTE = 1e-7
"""Seconds between two copies, per byte; a copy is made at about 1 GB/s, so it costs about one per cent of the time."""

UNCHECKED = (
    "step {step:,} gave an op an input that is out of range, such as an index, a label or a divisor of 0, or failed "
    "an assertion; the step was stopped by the checks that stand in for TensorFlow's own where XLA compiles an op "
    "without them, and passes without XLA: set compile=off to train this model"
)


@dataclass(frozen=True)
class Kept:
    """State of the variables at a step.

    Args:
        step: Global step.
        values: Values of all global variables by name.
    """

    step: int
    values: Values


class Inquiry:
    """Copies of the variables made now and then, from which a failed call is run again.

    Only steps on data in memory can run again: their batches are a function of the seed and the step. A
    ``RecordedFeed`` keeps the batch of each step, so that a copy before each step is enough for any data.

    Args:
        graph: Graph of the run.
        session: Open session of the graph.
        clock: Function that returns monotonic seconds.
    """

    def __init__(self, graph: TrainingGraph, session: Any, clock: Callable[[], float]) -> None:
        self._graph = graph
        self._session = session
        self._clock = clock
        variables = graph.context.graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
        self._variables = {variable.op.name: variable for variable in variables}
        self._bytes = sum(size_of(variable) for variable in variables)
        self._recorded = isinstance(graph.feed, RecordedFeed)
        self._repeatable = isinstance(graph.feed, ArrayFeed) and self._bytes <= MAX_KEPT_BYTES
        self._kept: Kept | None = None
        self._due = 0.0

    @functools.cached_property
    def _read(self) -> Callable[[], dict[str, Any]]:
        # Not earlier: TensorFlow places the ops here, and its errors belong to the start of the run.
        return self._session.make_callable(self._variables)  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Drops the copy: the variables get other values than those of the next step."""
        self._kept = None

    def before_call(self) -> None:
        """Copies the variables if the last copy is too old; a copy shares its memory until the next update.

        Raises:
            NonFiniteError: The batches are recorded, and the step before has made a variable not finite.
        """
        if self._recorded:
            self._watch()
            return
        if not self._repeatable:
            return
        now = self._clock()
        if self._kept is not None and now < self._due:
            return
        try:
            self._kept = self._current()
        except tf.errors.OpError as failure:
            log.debug("no copy of the variables: %s", failure)
            self._repeatable = False
        else:
            self._due = now + max(MIN_SECS_BETWEEN_COPIES, self._bytes * SECS_PER_BYTE)

    def _watch(self) -> None:
        before, now = self._kept, self._current()
        if before is not None and (bad := sorted(bad_names(now.values) - bad_names(before.values))):
            value = np.asarray(now.values[bad[0]])
            raise NonFiniteError(bad[0], str(value[~np.isfinite(value)].flat[0]), now.step)
        self._kept = now

    def check_failed(self, step: int, run: Callable[[int], Any], run_plainly: Callable[[int], Any]) -> TrainerError:
        """Runs the step whose checks failed again, so that TensorFlow raises its own error.

        Args:
            step: Step whose checks failed, counted from 1.
            run: Function that runs so many steps as before.
            run_plainly: Function that runs so many steps without XLA.

        Returns:
            Error to raise where TensorFlow accepts the step.

        Raises:
            OpError: TensorFlow's error.
        """
        if self._kept is None:
            # Most checks are of the batch alone, which is a function of the step.
            self._graph.context.global_step.load(step - 1, self._session)
        else:
            self._put_back(self._kept)
            run(step - 1 - self._kept.step)
        run_plainly(1)
        return TrainerError(UNCHECKED.format(step=step))

    def explained(self, error: NonFiniteError, run: Callable[[int], Any]) -> NonFiniteError:
        """Returns the error with the op that gave the first number that is not finite, if it can be found.

        Args:
            error: Error about a loss or a variable.
            run: Function that runs so many steps as before.
        """
        if self._kept is None or self._kept.step >= error.step:
            return error
        try:
            now = self._current()
            try:
                before = self._kept if self._recorded else self._before_the_bad_step(self._kept, error, run)
                origin = before and find_origin(self._graph.update_graph, self._inputs(before))
            finally:
                self._put_back(now)
        except Exception as failure:  # noqa: BLE001 - the error that is looked into must not be hidden by another one
            log.debug("the origin of %s was not found: %s", error, failure)
            return error
        if not before or not origin:
            return error
        return error.because(origin if before.step + 1 == error.step else f"{origin} in step {before.step + 1:,}")

    def _before_the_bad_step(self, kept: Kept, error: NonFiniteError, run: Callable[[int], Any]) -> Kept | None:
        """Returns the state before the first step that made a variable not finite, or else the loss; halves the steps.

        It is None where the steps, run again, give finite numbers.
        """
        known = bad_names(kept.values)
        low, high = kept, error.step
        self._put_back(low)
        run(high - low.step)
        if not bad_names(self._current().values) - known:
            if error.what != "loss":
                return None
            self._put_back(low)
            run(high - 1 - low.step)
            return self._current()
        while high - low.step > 1:
            middle = (low.step + high) // 2
            self._put_back(low)
            run(middle - low.step)
            current = self._current()
            if bad_names(current.values) - known:
                high = middle
            else:
                low = current
        return low

    def _inputs(self, before: Kept) -> UpdateInputs:
        outside = [tensor for tensor, _ in self._graph.update_graph.captures]
        others = {each.ref(): each for each in outside if each.dtype != tf.resource}
        rollback = self._graph.context.rollback
        skipped = before.values[rollback.skipped_steps.op.name] if rollback else None
        feed: Any = self._graph.feed
        if isinstance(feed, RecordedFeed):
            return UpdateInputs(
                feed.last_batch(self._session), self._values_by_handle(before), self._session.run(others)
            )
        with tf.Graph().as_default(), v1.Session() as session:
            indices = session.run(feed.indices_at(before.step, skipped))
        return UpdateInputs(
            feed.examples(indices),
            self._values_by_handle(before),
            self._session.run(others),
        )

    def _values_by_handle(self, kept: Kept) -> dict[Any, Any]:
        return {v.handle.ref(): kept.values[name] for name, v in self._variables.items() if hasattr(v, "handle")}

    def _current(self) -> Kept:
        values = self._read()
        return Kept(int(values[self._graph.context.global_step.op.name]), values)

    def _put_back(self, kept: Kept) -> None:
        """Sets all variables; those that share the tensor of their initial value need calls of their own."""
        left = dict(self._variables)
        while left:
            fed: dict[Any, str] = {}
            for name, variable in left.items():
                fed.setdefault(variable.initializer.inputs[1].ref(), name)
            feeds = {initial.deref(): kept.values[name] for initial, name in fed.items()}
            self._session.run([left.pop(name).initializer for name in fed.values()], feeds)


def size_of(variable: Any) -> int:
    """Returns the bytes of a variable's value; 0 for strings, and where the shape is not fixed."""
    dtype = variable.dtype.base_dtype
    return 0 if dtype == tf.string else (variable.shape.num_elements() or 0) * int(dtype.size)


def bad_names(values: Values) -> set[str]:
    """Returns the names of the values that hold a nan or an infinity.

    Example:
        >>> bad_names({"w": np.array([1.0, np.nan]), "b": np.zeros(2), "step": np.int64(3)})
        {'w'}
    """
    return {
        name
        for name, value in values.items()
        if np.asarray(value).dtype.kind not in "SUOb" and not np.isfinite(np.asarray(value)).all()
    }
