"""Saver checkpoints: periodic and at the end, with a commit record each."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trainer.callback import Callback, Context, Phase
from trainer.checkpoints import writing
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.policy import Retention
from trainer.checkpoints.store import CheckpointStore
from trainer.checks import check_bool, check_choice, check_file_name, check_names
from trainer.errors import CheckpointError, Interrupted, NonFiniteError
from trainer.files import format_size
from trainer.memory import available_bytes, has_room
from trainer.schedule import Schedule
from trainer.state import CheckpointSettings, SavedCheckpoint
from trainer.timing import told

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

log = logging.getLogger(__name__)


class Checkpoint(Callback):
    """Saves every N epochs, steps or seconds, and always at the end.

    A checkpoint holds all that a resume needs unless ``var_list`` leaves something out; such files
    serve a warm start, and that is said at the start.

    Args:
        every_n_epochs: Epochs between two saves, or None.
        every_n_steps: Steps between two saves, or None.
        every_n_secs: Seconds between two saves, or None.
        max_to_keep: Number of most recent checkpoints to keep; 0 or None keeps all. Holds across restarts.
        keep_checkpoint_every_n_hours: Hours of training for each of which one more checkpoint is kept for good.
        keep_best: Number of best checkpoints by ``monitor`` to keep in addition.
        monitor: Metric that decides what is best, such as ``loss`` or ``val_accuracy``.
        mode: ``min`` or ``max``, the end of the metric that is best.
        pinned: Numbers of checkpoints that are never removed; ``scripts/checkpoints pin`` adds others.
        write_meta_graph: ``first`` (once, hard-linked beside each checkpoint), ``every`` or ``never``.
        var_list: Variables to save: None for all; a list of names or patterns; or a mapping from the
            name in the file to the variable's name. ``global_step`` is always among them.
        prefix: Prefix of the files' names.
        background: Whether copies of the variables are written while training goes on, one save at
            a time. Where memory is too short for copies, a warning says so and training waits.
        clock: Function that returns monotonic seconds.

    Raises:
        TypeError, ValueError: A value is out of range.

    Example:
        >>> Checkpoint(every_n_epochs=10, max_to_keep=4).schedule
        Schedule(every_n_epochs=10, every_n_steps=None, every_n_secs=None)
    """

    phase: ClassVar[Phase] = Phase.SAVE

    def __init__(  # noqa: PLR0913 - the keys of the config, which the user sets one by one
        self,
        *,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        every_n_secs: float | None = None,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float | None = None,
        keep_best: int = 0,
        monitor: str = "loss",
        mode: str = "min",
        pinned: Sequence[int] = (),
        write_meta_graph: str = "first",
        var_list: Sequence[str] | Mapping[str, str] | None = None,
        prefix: str = "model",
        background: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.schedule = Schedule(every_n_epochs, every_n_steps, every_n_secs)
        self._retention = Retention(max_to_keep, keep_checkpoint_every_n_hours, keep_best, monitor, mode, tuple(pinned))
        self._write_meta_graph = check_choice("write_meta_graph", write_meta_graph, ("first", "every", "never"))
        is_list = var_list is not None and not isinstance(var_list, Mapping)
        self._var_list = check_names("var_list", var_list) if is_list else var_list
        self._prefix = check_file_name("prefix", prefix)
        if prefix == "checkpoint":
            raise ValueError(
                "prefix ('checkpoint') is the name of TensorFlow's own file; choose another, such as model"
            )
        self._wants_background = check_bool("background", background)
        self._work = writing.BackgroundWork()
        self._composer = writing.RecordComposer(prefix, by_epochs_alone=self.schedule.by_epochs_alone, clock=clock)
        self.writes = (f"checkpoints/{prefix}-*",)
        self._due_step = self._saved_step = -1
        self._saved_metrics: Mapping[str, float] = {}
        self.checkpoint_settings = CheckpointSettings(
            prefix, monitor, mode, frozenset(pinned), keep_best, all_variables=var_list is None
        )

    def on_build(self, build: GraphContext) -> None:
        """Makes the Saver, and says so if its choice leaves out what a resume needs."""
        if self._retention.keep_best:
            check_choice("monitor", self._retention.monitor, build.reported_metrics)
        self._seed = build.seed
        self._saved = writing.values_to_save(build, self._var_list, with_copies=self._wants_background)
        if left_out := self._saved.left_out:
            log.warning(
                "callbacks.checkpoint.var_list leaves out %d of %d variables (%s%s): these checkpoints serve a warm "
                "start, and cannot be resumed from",
                len(left_out),
                self._saved.count,
                ", ".join(left_out[:3]),
                ", ..." if len(left_out) > 3 else "",
            )

    def on_train_begin(self, context: Context) -> None:
        """Cleans up after killed processes and applies the retention, so that a lowered limit holds at once."""
        store = CheckpointStore(context.run.checkpoints, self._prefix)
        self._writer = writing.CheckpointWriter(store, self._saved, self._retention, self._write_meta_graph)
        store.clean_up()
        self._make_room(context)
        self._saved_step = context.record.global_step if store.has_step(context.record.global_step) else -1
        self._saved_metrics = context.record.metrics
        self._composer.start()
        self._copies = self._copies_that_fit()

    def _copies_that_fit(self) -> writing.Snapshot | None:
        """Returns the copies for saves in the background, None where memory is too short for them."""
        available, needed = available_bytes(), self._saved.variable_bytes
        if self._saved.copies is None or has_room(needed, available):
            return self._saved.copies
        log.warning(
            "training waits for each checkpoint: a copy of the variables needs %s of memory and %s are free "
            "(callbacks.checkpoint.background=false expects that)",
            format_size(needed),
            format_size(available or 0),
        )
        return None

    def on_step_end(self, context: Context) -> None:
        """Saves; a failure of the disk is reported, and the save is tried again at the next due point."""
        with self._failures_tolerated():
            self._work.wait()
        waits = told("writing a checkpoint") if self._copies is None else contextlib.nullcontext()
        with self._failures_tolerated(), waits:
            self._save(context, self._copies)

    def on_train_end(self, context: Context) -> None:
        """Saves, unless the last save was of this very step."""
        with self._failures_tolerated():
            self._work.wait()
        self._save(context)

    def on_exception(self, context: Context, error: BaseException) -> None:
        """Saves where a signal stopped the run; after any other error the variables may be bad."""
        try:
            with self._failures_tolerated():
                self._work.wait()
        except NonFiniteError as also:
            if isinstance(error, Interrupted):
                raise
            log.warning("no checkpoint of step %s (%s)", f"{self._due_step:,}", also)
        if isinstance(error, Interrupted):
            self._save(context)

    def close(self) -> None:
        """Waits for a save in the background."""
        self._work.close()

    @contextlib.contextmanager
    def _failures_tolerated(self) -> Iterator[None]:
        """Reports a failed save of ``_due_step``, and lets training go on."""
        try:
            yield
        except (OSError, CheckpointError) as error:
            step = f"{self._due_step:,}"
            if self._due_step == self._saved_step:
                log.warning("the checkpoint of step %s is saved; tidying up behind it failed (%s)", step, error)
            else:
                log.warning("no checkpoint of step %s (%s); it is tried again when due", step, error)

    def _save(self, context: Context, copies: writing.Snapshot | None = None) -> None:
        # A signal in an evaluation leaves a checkpoint without its metrics, which a resume adds.
        if context.record.global_step == self._saved_step and context.record.metrics == self._saved_metrics:
            return
        self._due_step, self._saved_metrics = context.record.global_step, context.record.metrics
        record = self._composer.compose(context, seed=self._seed, complete=not self._saved.left_out)
        if copies is None:
            self._write(context, self._saved.live, record)
        else:
            copies.take(context.session)
            self._work.start(lambda: self._write(context, copies, record))

    def _write(self, context: Context, values: writing.LiveValues | writing.Snapshot, record: CommitRecord) -> None:
        """Writes and commits a checkpoint, and makes room; the one method that runs in the background."""
        committed = self._writer.save(context.session, values, record)
        self._saved_step = committed.global_step
        context.checkpoints.committed(self._prefix, _saved(committed))
        self._make_room(context)

    def _make_room(self, context: Context) -> None:
        self._writer.rotate()
        best = self._writer.best()
        context.checkpoints.ranked(self._prefix, _saved(best) if best else None)

    def state_dict(self) -> dict[str, Any]:
        """Returns the seconds trained so far."""
        return self._composer.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back the seconds trained in earlier processes."""
        self._composer.load_state_dict(state)


def _saved(record: CommitRecord) -> SavedCheckpoint:
    return SavedCheckpoint(record.name, record.number, record.epoch, record.global_step)
