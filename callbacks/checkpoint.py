"""Saver checkpoints: periodic and at the end, with a commit record each."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trainer.callback import Callback, Context, Phase
from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.policy import Retention
from trainer.checkpoints.store import CheckpointStore
from trainer.checkpoints.writing.background import BackgroundWork
from trainer.checks import check_bool, check_choice, check_file_name, check_names, finite_or_none
from trainer.errors import CheckpointError, Interrupted, NonFiniteError
from trainer.files import size_for_people
from trainer.memory import available_bytes, has_room
from trainer.runs.versions import versions
from trainer.schedule import Schedule
from trainer.timing import utc_now

if TYPE_CHECKING:
    from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
    from trainer.graph.build import GraphContext
    from trainer.runs.directory import RunDirectory

log = logging.getLogger(__name__)


class Checkpoint(Callback):
    """Saves every N epochs, steps or seconds, and always at the end.

    A checkpoint holds all that a resume needs unless ``var_list`` leaves something out; such files
    serve a warm start, and that is said at the start.

    Args:
        every_n_epochs, every_n_steps, every_n_secs: when to save; any of them.
        max_to_keep: the newest so many stay; 0 or None keeps all. Holds across restarts.
        keep_checkpoint_every_n_hours: besides, one for each N hours of training stays for good.
        keep_best: besides, the best so many by ``monitor`` stay.
        monitor: a metric, such as ``loss`` or ``val_accuracy``.
        mode: ``min`` or ``max``: which end of the metric is best.
        pinned: numbers of checkpoints that are never removed; ``scripts/checkpoints pin`` adds others.
        write_meta_graph: ``first`` (once, hard-linked beside each checkpoint), ``every``, ``never``.
        var_list: None for all variables; a list of names or patterns; or a mapping from the name
            in the file to the variable's. global_step is always in.
        prefix: what the names of the files begin with.
        background: copies the variables and writes the copies while training goes on, one save at
            a time; where memory is short that is said, and training waits for each save.
        clock: monotonic seconds.

    Raises:
        TypeError, ValueError: a value is out of range.

    Example:
        >>> Checkpoint(every_n_epochs=10, max_to_keep=4).schedule
        Schedule(every_n_epochs=10, every_n_steps=None, every_n_secs=None)
    """

    phase: ClassVar[Phase] = Phase.SAVE

    def __init__(  # noqa: PLR0913 - the keys of the config, which a person sets one by one
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
        self._clock = clock
        self._work = BackgroundWork()
        self._due_step = -1
        self._saved_step = -1
        self._trained_secs = 0.0
        self._complete = True
        self._settings: dict[str, Any] = {}

    def on_build(self, build: GraphContext) -> None:
        """Makes the Saver, and says so if its choice leaves out what a resume needs."""
        from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
        from trainer.checkpoints.writing.writer import chosen_variables
        from trainer.graph.variables import make_saver, variable_bytes, variables_by_name
        from trainer.graphdef.signatures import signatures_of

        if self._retention.keep_best:
            check_choice("monitor", self._retention.monitor, build.reported_metrics)
        variables = variables_by_name(build.graph)
        pipelines = build.graph.get_collection("saveable_objects")
        chosen, saver = variables, build.saver
        if self._var_list is not None:
            chosen = chosen_variables(self._var_list, variables, build.global_step)
            left_out = [name for name in variables if name not in chosen or chosen[name] is not variables[name]]
            self._warn_of(left_out + [pipeline.name for pipeline in pipelines], len(variables))
            saver, pipelines = make_saver(chosen), []
        self._live = LiveValues(saver, variables)
        self._snapshot = Snapshot(chosen, pipelines) if self._wants_background else None
        self._variable_bytes = variable_bytes(build.graph)
        part = build.inference
        self._signatures = signatures_of(part.inputs, part.labels, part.outputs, part.loss)
        self._settings = {"seed": build.seed, "versions": versions()}

    def _warn_of(self, left_out: Sequence[str], count: int) -> None:
        self._complete = not left_out
        if left_out:
            log.warning(
                "callbacks.checkpoint.var_list leaves out %d of %d variables (%s%s): these checkpoints serve a warm "
                "start, and cannot be resumed from",
                len(left_out),
                count,
                ", ".join(left_out[:3]),
                ", ..." if len(left_out) > 3 else "",
            )

    def on_train_begin(self, context: Context) -> None:
        """Cleans up after killed processes and applies the retention, so that a lowered limit holds at once."""
        from trainer.checkpoints.writing.writer import CheckpointWriter

        store = CheckpointStore(context.run.checkpoints, self._prefix)
        self._writer = CheckpointWriter(
            store, self._live.saver, self._retention, self._write_meta_graph, self._variable_bytes, self._signatures
        )
        store.clean_up()
        self._writer.rotate()
        self._saved_step = context.record.global_step if store.has_step(context.record.global_step) else -1
        self._began = self._clock() - self._trained_secs
        self._settings["steps_per_epoch"] = context.steps_per_epoch
        self._settings["config"] = context.run.facts.get("config_digest")
        self._copies = self._snapshot
        available = available_bytes()
        if self._snapshot is not None and not has_room(self._variable_bytes, available):
            self._copies = None
            log.warning(
                "training waits for each checkpoint: a copy of the variables needs %s of memory and %s are free "
                "(callbacks.checkpoint.background=false expects that)",
                size_for_people(self._variable_bytes),
                size_for_people(available or 0),
            )

    def on_step_end(self, context: Context) -> None:
        """Saves; where the disk fails, that is said and tried again at the next due point."""
        with self._failures_tolerated():
            self._work.wait()
        with self._failures_tolerated():
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
        """Around the save of ``_due_step``: says what failed, and training goes on."""
        from tensorflow.errors import OpError

        try:
            yield
        except (OSError, OpError, CheckpointError) as error:
            step = f"{self._due_step:,}"
            if self._due_step == self._saved_step:
                log.warning("the checkpoint of step %s is saved; tidying up behind it failed (%s)", step, error)
            else:
                log.warning("no checkpoint of step %s (%s); it is tried again when due", step, error)

    def _save(self, context: Context, copies: Snapshot | None = None) -> None:
        if context.record.global_step == self._saved_step:
            return
        self._due_step = context.record.global_step
        record = self._record_of(context)
        if copies is None:
            self._write(context.session, self._live, record, context.run)
        else:
            copies.take(context.session)
            self._work.start(lambda: self._write(context.session, copies, record, context.run))

    def _write(self, session: Any, values: LiveValues | Snapshot, record: CommitRecord, run: RunDirectory) -> None:
        """Writes and commits a checkpoint, and makes room; the one method that runs in the background."""
        committed = self._writer.save(session, values, record)
        self._saved_step = committed.global_step
        run.update(
            epoch=committed.epoch,
            global_step=committed.global_step,
            newest_checkpoint=f"checkpoints/{committed.name}",
        )
        self._writer.rotate()
        best = self._writer.best()
        if best is not None:
            run.update(best_checkpoint=f"checkpoints/{best.name}")

    def _record_of(self, context: Context) -> CommitRecord:
        step = context.record.global_step
        epoch, steps_into_epoch = divmod(step, context.steps_per_epoch)
        by_epochs = self.schedule.by_epochs_alone
        number = epoch if by_epochs else step
        # Stopped inside an epoch: the number alone would name the checkpoint of the epoch's begin.
        into = f"+{steps_into_epoch}" if by_epochs and steps_into_epoch else ""
        self._trained_secs = self._clock() - self._began
        return CommitRecord(
            name=f"{self._prefix}-{number}{into}",
            number=number,
            epoch=epoch,
            global_step=step,
            metrics=finite_or_none(context.record.metrics),
            state=context.resume_state.state_dict(),
            complete=self._complete,
            trained_secs=round(self._trained_secs, 3),
            saved_at=utc_now(),
            settings={**self._settings, "compile": context.run.facts.get("compile")},
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns the time trained."""
        return {"trained_secs": round(self._trained_secs, 3)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on counting the time trained."""
        self._trained_secs = float(state["trained_secs"])
