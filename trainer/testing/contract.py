"""Check of a callback's contract: short real runs through every event and every ending."""

from __future__ import annotations

import copy
import inspect
import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.callback import Callback, Context
from trainer.errors import CallbackError, RequestError, TrainerError, describe
from trainer.graph.ops.find_instances import find_instances
from trainer.tensorflow_import import import_tensorflow
from trainer.testing.small_run import ENDS, Ending, run_to

NAME = "checked"

ENDING_SECS = 1.0
"""Seconds that a thread has to end after the run, as one does that has just been told to."""

LATE_OP = "adds ops in {event}, after the graph is closed; make them in on_build, and keep the tensors"


class ContractError(TrainerError):
    """Callback that breaks its contract; the message has a line for each thing that is wrong.

    Args:
        name: Name of the callback's class.
        notes: What is wrong, a line each.

    Example:
        >>> print(ContractError("Mine", ["raises in close: no file"]))
        Mine breaks the contract of a callback:
          raises in close: no file
    """

    def __init__(self, name: str, notes: list[str]) -> None:
        super().__init__("\n  ".join([f"{name} breaks the contract of a callback:", *notes]))
        self.notes = notes


def check_callback(
    callback: Callback | Callable[[], Callback], beside: Callable[[], Mapping[str, Callback]] | None = None
) -> None:
    """Takes a callback through every event and ending in short real runs, and raises where it breaks its contract.

    The runs end after all epochs, by a stop that another callback asks for, by an error and by an interrupt that
    is resumed; all have a validation part, and report ``loss``, ``error``, ``val_loss`` and ``val_error``.

    Args:
        callback: Callback, or a function without arguments that makes one; an object is copied for each run.
        beside: Function that makes other callbacks that it needs, by name; the default ones are there.

    Raises:
        ContractError: The callback breaks its contract; ``notes`` says how.
        RequestError: The value is no callback, or cannot be copied.

    Example:
        >>> class Worst(Callback):
        ...     def __init__(self):
        ...         self.loss = 0.0
        ...     def on_epoch_end(self, context):
        ...         self.loss = max(self.loss, context.record.metrics["loss"])
        ...     def state_dict(self):
        ...         return {"loss": np.float32(self.loss)}
        >>> check_callback(Worst())
        Traceback (most recent call last):
        trainer.testing.contract.ContractError: Worst breaks the contract of a callback:
          raises in state_dict: Object of type float32 is not JSON serializable
    """
    import_tensorflow()
    make = _maker(callback)
    first = make()
    notes = list(dict.fromkeys([*_notes_on(first), *_Trial(make, beside or dict).notes()]))
    if notes:
        raise ContractError(type(first).__name__, notes)


class _Trial:
    """Runs of a callback, and what they show.

    Args:
        make: Function that makes the callback.
        beside: Function that makes others.
    """

    def __init__(self, make: Callable[[], Callback], beside: Callable[[], Mapping[str, Callback]]) -> None:
        self._make = make
        self._beside = beside
        self._notes: list[str] = []

    def notes(self) -> list[str]:
        """Returns what the runs show, a line each; the first run that fails is the last."""
        with tempfile.TemporaryDirectory() as folder:
            reference = run_to("all epochs", Path(folder) / "reference", {**self._beside()})
            for end in ENDS:
                ending = self._run(end, Path(folder) / end.replace(" ", "_"))
                if ending is None:
                    return self._notes
                self._compare(ending, reference)
            resumed = self._run("all epochs", Path(folder) / "interrupt")
            if resumed is not None:
                self._compare(resumed, reference)
        return self._notes

    def _run(self, end: str, directory: Path) -> Ending | None:
        """Runs to an end with a new callback; returns None where the callback failed."""
        callback, threads = self._make(), set(threading.enumerate())
        try:
            ending = run_to(end, directory, {**self._beside(), NAME: callback})
        except CallbackError as error:
            self._notes.append(self._about(error))
            return None
        except RequestError as error:
            self._notes.append(f"is refused: {error}")
            return None
        if find_instances(callback, Context):
            self._notes.append("holds the context, and with it the session, after close; let go of it there")
        elif find_instances(callback, tf.compat.v1.Session):
            self._notes.append("holds the session after close; let go of it there")
        for each in set(threading.enumerate()) - threads:
            each.join(ENDING_SECS)
            if each.is_alive():
                self._notes.append(f"leaves the thread {each.name} running after close; end it there")
        self._check_state(callback)
        return ending

    def _about(self, error: CallbackError) -> str:
        cause = error.__cause__
        if error.name != NAME:
            return f"makes the callback {error.name} fail in {error.event}: {error}"
        if isinstance(cause, RuntimeError) and "finalized" in str(cause):
            return LATE_OP.format(event=error.event)
        return f"raises in {error.event}: {str(error).partition(f' failed in {error.event}: ')[2]}"

    def _check_state(self, callback: Callback) -> None:
        state = callback.state_dict()
        if not state:
            return
        if not _loads(callback):
            self._notes.append("has a state_dict and no load_state_dict of its own; a resume needs both")
            return
        other = self._make()
        try:
            other.load_state_dict(json.loads(json.dumps(state)))
        except Exception as error:  # noqa: BLE001 - of a user's code
            self._notes.append(f"raises in load_state_dict: {describe(error)}")
            return
        if json.dumps(other.state_dict()) != json.dumps(state):
            self._notes.append("does not take back in load_state_dict what its state_dict returned")

    def _compare(self, ending: Ending, reference: Ending) -> None:
        """Compares the variables and metrics of a run with those of a run without the callback."""
        for step, values in ending.values.items():
            expected = reference.values.get(step, {})
            changed = [name for name, value in expected.items() if not np.array_equal(values[name], value)]
            if changed and not any(note.startswith("changes variables") for note in self._notes):
                self._notes.append(f"changes variables of the run ({', '.join(changed[:3])}); it may only read them")
                break
        added = {name for names in ending.reported.values() for name in names}
        known = {name for names in reference.reported.values() for name in names} | set(ending.announced)
        if late := sorted(added - known):
            self._notes.append(f"reports {', '.join(late)} without announcing it in reported_metrics")


def _maker(callback: Any) -> Callable[[], Callback]:
    def make() -> Callback:
        made = callback() if not isinstance(callback, Callback) else copy.deepcopy(callback)
        if not isinstance(made, Callback):
            raise RequestError(
                f"callback is or makes a {type(made).__name__}; derive it from trainer.Callback", argument="callback"
            )
        return made

    if not callable(callback) and not isinstance(callback, Callback):
        raise RequestError(
            f"callback is a {type(callback).__name__}; give a trainer.Callback, or a function that makes one",
            argument="callback",
        )
    try:
        make()
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            f"the callback cannot be made or copied ({describe(error)}); give a function that makes it, "
            "check_callback(lambda: MyCallback(...))",
            argument="callback",
        ) from error
    return make


def _notes_on(callback: Callback) -> list[str]:
    """Returns what is wrong with the class, without a run."""
    notes = []
    needed = [
        each.name
        for each in inspect.signature(type(callback)).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if needed:
        notes.append(f"has no default for {', '.join(needed)}; a config node must work with its target alone")
    if _overrides(callback, "on_step_end") and _is_never_due(callback):
        notes.append("overrides on_step_end and is never due; set schedule = Schedule(every_n_epochs=1) or another")
    if not _overrides(callback, "on_step_end") and not callback.schedule.is_never:
        notes.append("has a schedule and no on_step_end, so the loop stops for nothing; leave the schedule out")
    return notes


def _is_never_due(callback: Callback) -> bool:
    """Returns whether a callback has no schedule, and none that it sets while the graph is built."""
    return callback.schedule.is_never and not _overrides(callback, "on_build")


def _overrides(callback: Callback, method: str) -> bool:
    return getattr(type(callback), method) is not getattr(Callback, method)


def _loads(callback: Callback) -> bool:
    return _overrides(callback, "load_state_dict")
