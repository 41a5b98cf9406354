"""The contract of a callback: what it is told, when, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from trainer.errors import RequestError
from trainer.schedule import NEVER, Schedule

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext
    from trainer.runs.directory import RunDirectory
    from trainer.runs.saved_checkpoints import SavedCheckpoints
    from trainer.state import CheckpointSettings, Rollback, RunState, StepMetrics


class Phase(IntEnum):
    """Place of a callback in the running order, whatever its place in the config.

    A save holds the state of all callbacks, so it comes after those that still have to see the
    epoch. An export names the checkpoint that it was made from, so it comes after the last save.
    A notification tells of all that. Within a phase the order of the config holds.
    """

    OBSERVE = 0
    SAVE = 1
    EXPORT = 2
    NOTIFY = 3


class Stateful(Protocol):
    """Source of what a resume needs besides the variables; the loop is one."""

    def state_dict(self) -> dict[str, Any]:
        """Returns JSON data: the loop's own state and each callback's ``state_dict``."""


@dataclass
class Context:
    """View of the run that a callback gets, with what it may ask for.

    Args:
        session: Open session. In ``on_step_end``, ``on_train_begin`` and ``on_train_end`` the
            variables are those of ``record``. In ``on_epoch_end`` they may be some epochs ahead
            (``is_current`` is False), unless a schedule makes the loop stop there.
        run: Run directory with its paths and ``run.json``.
        record: State of training now.
        total_epochs: Epoch at which the run is complete.
        steps_per_epoch: Number of updates in an epoch.
        resume_state: Source of what a saver stores beside the variables.
        checkpoints: Newest and best checkpoint so far; savers report them here.
        stop_reason: Reason why the run was asked to end early, or None.
        stopped_by: Name of the callback that asked, once it is known.
        stop_is_pause: Whether a resume goes on from there, as after a signal.
        exports_best: Whether exports take the best checkpoint in the place of the last variables.
        rollback: Rollback that was asked for in ``on_exception``, or None.
        is_current: Whether the variables are those of the record; False while the epochs inside a
            call into the graph are handed out.
        means_so_far: Function that returns ``epoch_so_far``.
        secs_so_far: Function that returns the seconds of this process so far by where they went:
            ``compute``, ``input``, ``callbacks`` and ``checkpoints``; {} where nothing measures them.
    """

    session: Any
    run: RunDirectory
    record: RunState
    total_epochs: int
    steps_per_epoch: int
    resume_state: Stateful
    checkpoints: SavedCheckpoints
    stop_reason: str | None = None
    stopped_by: str | None = None
    stop_is_pause: bool = False
    exports_best: bool = False
    rollback: Rollback | None = None
    is_current: bool = True
    means_so_far: Callable[[], Mapping[str, float]] = dict
    secs_so_far: Callable[[], Mapping[str, float]] = dict

    @property
    def epoch_so_far(self) -> Mapping[str, float]:
        """Means of the steps of the epoch that goes on, computed when it is asked for.

        {} at the beginning of an epoch, and while the variables are ahead of the record.
        """
        return self.means_so_far() if self.is_current else {}

    def report(self, metrics: Mapping[str, float]) -> None:
        """Adds metrics to the record, for the callbacks that come later in the order.

        Raises:
            TypeError, ValueError: A metric is not a number.
        """
        numbers = {name: float(value) for name, value in metrics.items()}
        self.record = replace(self.record, metrics={**self.record.metrics, **numbers})

    def request_stop(self, reason: str, *, pause: bool = False) -> None:
        """Asks for the run to end in good order at this point; the first request is kept.

        Args:
            reason: Reason, such as ``val_loss has not improved for 3 epochs``.
            pause: Whether the run is not complete then: its status is ``interrupted``, and a resume goes on. Otherwise
                it is complete, for as long as ``goes_on_with`` of the callback says so.

        Raises:
            RequestError: The variables are ahead of the record, so the run cannot end at this point.
        """
        if not self.is_current:
            raise RequestError(
                "request_stop came at a step inside a call into the graph, whose later steps have run; give the "
                "callback schedule = Schedule(every_n_epochs=1), and ask in on_step_end"
            )
        if self.stop_reason is None:
            self.stop_reason, self.stop_is_pause = reason, pause

    def request_rollback(self, rollback: Rollback) -> None:
        """Asks, in ``on_exception``, for the run to continue from the newest good checkpoint."""
        self.rollback = rollback


class Callback:
    """Base of all callbacks: every method does nothing, override what is needed.

    The order of events, for all callbacks in running order::

        on_build(build)              the graph is open: make ops and Savers here
              graph.finalize()       from here on a new op is an error that names the callback
              the run directory is made; the session initialised or restored; load_state_dict
        on_train_begin(context)
           on_epoch_begin(context)
           on_call_end(context, steps)  each call into the graph, before anything else is told
           on_log(context, row)      each ``log_every_n_steps`` steps of the call, before the end of
                                     an epoch at the same step
           on_step_end(context)      at a stop where ``schedule`` is due, and only then
           on_epoch_end(context)     each epoch; at a stop: before this callback's on_step_end
        on_train_end(context)        the run ended in good order (all epochs, or a stop asked for)
        on_exception(context, error) it did not; ``Interrupted`` where a signal stopped it. After a
                                     rollback that was asked for here, on_train_begin comes again
        close()                      always, whatever else raised; the first error is reported

    One call into the graph runs many steps and, where no callback is due, many epochs; the rows of
    ``on_log`` and the ends of those epochs are handed out afterwards, in order. A callback that needs
    the variables as they are at an epoch's end asks for it with its ``schedule`` and works in
    ``on_step_end``.

    The constructor checks and stores. It imports no TensorFlow, so that a wrong value is answered
    at once.

    Attributes:
        phase: Place in the running order.
        schedule: When ``on_step_end`` is due.
        checkpoint_settings: Settings of a callback that saves checkpoints in the run's store, else None.
        needs_best_checkpoint: Whether it reads the best checkpoint at the end, so one must be kept.
        best_by: Metric and mode by which that one must be the best, such as ("val_loss", "min"); None for any.
        needs_rollback: Whether the graph must be built for rollbacks.
        writes: Files and directories of the run that it alone writes, as ``checkpoints/model-*``; two callbacks
            with the same are refused.
        may_be_cut: Whether a signal may end ``on_epoch_end``, ``on_step_end`` and ``on_train_end`` at any point, for
            long work that leaves nothing half done. The call is made again when the run is resumed.

    Example:
        >>> class StopAtLoss(Callback):
        ...     schedule = Schedule(every_n_epochs=1)
        ...     def __init__(self, loss):
        ...         self.loss = loss
        ...     def on_step_end(self, context):
        ...         if context.record.metrics["loss"] < self.loss:
        ...             context.request_stop(f"loss is below {self.loss}")
        >>> StopAtLoss(0.1).schedule.every_n_epochs
        1
    """

    phase: ClassVar[Phase] = Phase.OBSERVE
    schedule: Schedule = NEVER
    checkpoint_settings: CheckpointSettings | None = None
    needs_best_checkpoint: bool = False
    best_by: tuple[str, str] | None = None
    needs_rollback: bool = False
    writes: tuple[str, ...] = ()
    may_be_cut: bool = False

    def reported_metrics(self, build: GraphContext) -> Sequence[str]:  # noqa: ARG002 - for those that override it
        """Returns the names of what this callback will report, so that others may monitor it."""
        return ()

    def on_build(self, build: GraphContext) -> None:
        """The graph is open and nothing is on disk: make ops, check names, refuse early.

        Variables, tables and saveables that are made here are in the checkpoints of the run; a callback that
        makes some has the phase OBSERVE, so that it comes before those that save.
        """

    def on_train_begin(self, context: Context) -> None:
        """The session is initialised or restored; no step has run in this process."""

    def on_epoch_begin(self, context: Context) -> None:
        """The epoch after ``context.record.epoch`` begins."""

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        """A call into the graph returned; raise here to keep others from seeing its results.

        The record is that of before the call.
        """

    def on_log(self, context: Context, row: RunState) -> None:
        """Means of the last N steps, where ``log_every_n_steps`` is N; the variables may be ahead.

        The epoch of the row is the number of epochs before the one of its last step: at the end of the first
        epoch it is 0.
        """

    def on_step_end(self, context: Context) -> None:
        """The loop stopped because ``schedule`` is due; the variables are those of the record."""

    def on_epoch_end(self, context: Context) -> None:
        """An epoch is complete and its metrics are in the record."""

    def on_train_end(self, context: Context) -> None:
        """The run ended in good order."""

    def on_exception(self, context: Context, error: BaseException) -> None:
        """The run did not end in good order; ``error`` is why."""

    def close(self) -> None:
        """Frees what is held; called once, always, also where ``on_build`` of another failed."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a resume needs, as JSON data; {} where there is nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what ``state_dict`` returned in an earlier process."""

    def goes_on_with(self, state: Mapping[str, Any], record: RunState) -> str | None:  # noqa: ARG002 - as above
        """Returns the setting with which a run that this callback has ended would go on; None if it goes on now.

        Such as ``patience above 3``, or '' where it would end again with any. Called before TensorFlow is imported, to
        decide whether a resume has anything left to do.

        Args:
            state: State of this callback in the checkpoint that the run would go on from.
            record: State of training in that checkpoint.
        """
        return ""
