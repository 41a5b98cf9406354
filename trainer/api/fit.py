"""Training from Python: plain objects in, a result out, with all that a run of the command line has."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer import api, training
from trainer.api.default_callbacks import Given, with_defaults
from trainer.api.recorder import Recorder
from trainer.api.result import Result, stored_metrics
from trainer.api.stored_settings import accepted_changes, settings_to_store
from trainer.api.surroundings import lines_shown, random_states_kept
from trainer.checks import check_bool, check_choice, check_int, check_names, check_optional_int
from trainer.config.changes import digest
from trainer.config.optimizer_parts import is_rate
from trainer.errors import Interrupted, RequestError, TrainerError, describe, place_in
from trainer.files import local_path
from trainer.runs.directory import RunDirectory
from trainer.runs.settings import Settings, check_seed
from trainer.state import COMPILE_SETTINGS
from trainer.tensorflow_import import SessionSettings, import_tensorflow
from trainer.training.callback_list import CallbackList
from trainer.training.job import Invocation
from trainer.training.preparation import PreparedRun, prepare
from trainer.training.signals import Signals
from trainer.warm_start import WarmStart

log = logging.getLogger(__name__)

ROOT, NAME = "outputs", "fit"
"""Directory of all runs, and the name of those without a directory of their own."""


def fit(  # noqa: PLR0913 - what a user may say about a run, by name
    model: Any,
    data: Any,
    optimizer: Any = None,
    *,
    epochs: int,
    loss: Any = None,
    metrics: Any = None,
    class_weight: Any = None,
    batch_size: int = 32,
    validation: Any = None,
    callbacks: Given = (),
    directory: str | Path | None = None,
    resume: str = "auto",
    resume_changes: str = "refuse",
    seed: int = 0,
    shuffle: bool = True,
    batched: bool = False,
    pad: bool | Mapping[str, Any] = False,
    bucket_boundaries: Sequence[int] | None = None,
    save_position: bool | str = True,
    steps_per_epoch: int | None = None,
    steps_per_call: int | None = None,
    log_every_n_steps: int | None = None,
    trainable: Sequence[str] | None = None,
    warm_start: WarmStart | None = None,
    compile: str = "auto",
    verbose: bool = True,
) -> Result:
    """Trains a model in a graph of its own; what is around it, such as eager code, is left as it was.

    The run is that of the command line: fused steps, checkpoints, ``run.json``, ``metrics.jsonl``, the same bits
    after a resume. Nothing is exported unless a callback does it.

    Args:
        model: Model of the contract ``trainer.Model``, its class, a function without arguments that makes one, a
            function of graph mode ``build(inputs, labels, training)``, or a Keras model, which has the trained weights
            afterwards.
        data: ``Arrays``; (inputs, labels) or (inputs, labels, sample_weight) of arrays, tuples or dicts; a function
            that returns a ``tf.data.Dataset`` of examples; or a source of ``trainer.data``.
        optimizer: Name, Keras optimizer, ``tf.compat.v1.train`` optimizer, or a class or function that makes one;
            None for that of a compiled Keras model, or for a function that makes its own train op.
        epochs: Number of epochs to complete, counted from the first start of the run.
        loss: Loss of a Keras model, as ``compile`` takes it; None for that of a compiled or any other model.
        metrics: Metrics of a Keras model, as ``compile`` takes them; None for those of a compiled or any other model.
        class_weight: Weight in the training loss by class, for a Keras model.
        batch_size: Number of examples in a batch; arrays with fewer are one batch.
        validation: Share of the examples, examples of its own in the forms of ``data``, or None.
        callbacks: Callbacks in addition to the default ones; one of the same class takes the place of the default,
            and in a mapping of names None leaves one out.
        directory: Directory of the run; None for a new one, ``outputs/fit/<date_time>``.
        resume: ``auto`` to continue the run in the directory if there is one, ``never``, ``latest``, or a reference
            to a checkpoint.
        resume_changes: ``refuse`` or ``allow`` a resume with other settings than the run had.
        seed: Seed of initial values, of the order of the data and of random ops.
        shuffle: Whether each epoch has a new order.
        batched: Whether the data set of a function consists of batches already.
        pad: Whether examples of varying shape are padded in each batch, with 0 or ''; a mapping of names to other
            values.
        bucket_boundaries: Lengths between which examples of a data set are put into one batch, or None.
        save_position: Whether checkpoints hold the position of a data set; ``skip`` for one that calls Python: a
            resume draws again, and leaves out, what the run had drawn; False to start it anew.
        steps_per_epoch: Number of steps in an epoch, or None for the whole data set.
        steps_per_call: Maximum number of steps in a call into the graph, or None for automatic.
        log_every_n_steps: Steps of each row of means within epochs, or None for rows of whole epochs alone.
        trainable: Names or patterns of the variables to train, or None for all.
        warm_start: Variables that a new run takes from a checkpoint, or None.
        compile: ``auto``, ``off``, ``xla`` or ``measure``.
        verbose: Whether to show progress and lines about the run.

    Returns:
        Metrics of all epochs, directory, checkpoints and the reason for the end. Ctrl-C ends a run as if it were
        complete: its state is saved, and the result says so.

    Raises:
        RequestError: The request cannot be carried out; nothing was created.
        TrainerError: The run failed.
        Interrupted: SIGTERM ended the run; its state was saved.

    Example:
        >>> import tempfile, keras, numpy as np, trainer
        >>> class Line:
        ...     def __init__(self):
        ...         self.dense = keras.layers.Dense(1)
        ...     def __call__(self, inputs, training):
        ...         return {"op": self.dense(inputs["x"])}
        ...     def loss(self, outputs, labels):
        ...         return keras.ops.mean((outputs["op"] - labels["y"]) ** 2)
        >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
        >>> folder = tempfile.mkdtemp()
        >>> data = ({"x": x}, {"y": 2 * x})
        >>> result = trainer.fit(Line, data, "adam", epochs=3, directory=f"{folder}/run", verbose=False)
        >>> len(result.metrics), result.reason
        (3, 'epoch 3 of 3 is complete')
    """
    try:
        check_bool("verbose", verbose)
        settings = Settings(
            root=Path(ROOT),
            name=NAME,
            run_dir=None if directory is None else local_path(directory, "directory"),
            # Another model of the same session must not go on from the run of the one before.
            resume="never" if directory is None and resume == "auto" else str(local_path(resume, "resume")),
            may_change=check_choice("resume_changes", resume_changes, ("refuse", "allow")) == "allow",
            warm_start=warm_start,
            trainable=None if trainable is None else check_names("trainable", trainable),
            seed=check_seed(seed),
            epochs=check_int("epochs", epochs, minimum=1),
            steps_per_epoch=check_optional_int("steps_per_epoch", steps_per_epoch, minimum=1),
            steps_per_call=check_optional_int("steps_per_call", steps_per_call, minimum=1),
            log_every_n_steps=check_optional_int("log_every_n_steps", log_every_n_steps, minimum=1),
            compile=check_choice("compile", compile, COMPILE_SETTINGS),
            session=SessionSettings(),
        )
    except (ValueError, TypeError) as error:
        raise RequestError(str(error), argument=getattr(error, "argument", "")) from None
    options: dict[str, Any] = {"batch_size": batch_size, "shuffle": shuffle, "batched": batched}
    options |= {"steps_per_epoch": steps_per_epoch, "save_position": save_position}
    options |= {"pad": pad, "bucket_boundaries": bucket_boundaries}
    given = {"model": model, "optimizer": optimizer, "loss": loss, "metrics": metrics, "data": data}
    given["class_weight"] = class_weight
    with random_states_kept(), lines_shown(verbose=verbose), Signals(inside=True) as signals:
        return _Fit(settings, signals, {**given, "validation": validation}, options).run(callbacks, quiet=not verbose)


class _Fit:
    """One call of ``fit``, after the checks of its plain values.

    Args:
        settings: Plain settings of the run.
        signals: Signals caught since the start of the call.
        given: Model, optimizer, loss, metrics, data and validation as the user gave them.
        options: Options of the data.
    """

    def __init__(self, settings: Settings, signals: Signals, given: dict[str, Any], options: dict[str, Any]) -> None:
        self._settings = settings
        self._signals = signals
        self._given = given
        self._options = options

    def run(self, callbacks: Given, *, quiet: bool) -> Result:
        """Trains, and returns the result; an error that is not the library's own becomes one."""
        try:
            return self._run(callbacks, quiet=quiet)
        except (TrainerError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise TrainerError(f"{describe(error)}{place_in(error)}") from error

    def _run(self, callbacks: Given, *, quiet: bool) -> Result:
        import_tensorflow(self._settings.session)
        parts = api.given_parts(self._given, self._options)
        model = parts.model
        recorder = Recorder(read_values=model.read_values)
        listed = CallbackList({**with_defaults(callbacks, quiet=quiet), "result": recorder})
        stored, allow = settings_to_store(self._settings, parts.description), self._settings.may_change
        run = prepare(self._settings, listed, lambda path: accepted_changes(path, stored, allow=allow))
        if run.is_complete:
            if run.start.record is not None:
                newest = run.start.run.checkpoints / run.start.record.name
                model.take_from(best_of(run.start.run, listed) or newest)
            return self._complete(run)
        run.tell()
        job = run.job(
            make_model=model.make,
            make_optimizer=parts.make_optimizer,
            data=parts.data,
            rate_can_be_scaled=parts.rate_can_be_scaled,
            new_learning_rate=any(is_rate(change.key) for change in run.changes),
            invocation=Invocation(
                config_text=f"# trainer.fit\n{json.dumps(stored, indent=2)}\n",
                config_digest=digest(stored),
                changes=tuple(map(str, run.changes)),
            ),
        )
        reason, interrupted = self._train(job, recorder)
        best = None if interrupted else best_of(RunDirectory(recorder.directory), listed)
        if best is None:
            model.take(recorder.values)
        else:
            model.take_from(best)
        return Result(recorder.directory, recorder.metrics, reason, interrupted)

    def _train(self, job: Any, recorder: Recorder) -> tuple[str, bool]:
        """Runs the job; returns the reason for its end, and whether it was interrupted."""
        try:
            state = training.train_job(job, self._signals)
        except Interrupted as error:
            if error.exit_code != 128 + signal.SIGINT:
                raise
            if not recorder.has_begun:
                raise KeyboardInterrupt from None
            log.info("%s; the state is saved in %s", error, recorder.directory)
            return str(error), True
        return recorder.stop_reason or f"epoch {state.epoch} of {job.epochs} is complete", False

    def _complete(self, run: PreparedRun) -> Result:
        """Returns the result of a run that has nothing left to do."""
        log.info("%s: nothing to do, %s", run.start.run.path, run.completion)
        metrics = stored_metrics(run.start.run.metrics_file)
        return Result(run.start.run.path, metrics, run.start.run.info().stop_reason or run.completion)


def best_of(run: RunDirectory, callbacks: CallbackList) -> Path | None:
    """Returns the prefix of the best checkpoint where a callback restores it; None if none does, or there is none."""
    best = run.info().best_checkpoint if callbacks.restores_best else None
    return None if best is None else run.path / best
