"""Callbacks of a training from Python: the shipped ones that a run needs, and those of the user."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name

from trainer.callback import Callback
from trainer.checks import suggestion
from trainer.config.shipped_callbacks import join_packages
from trainer.errors import RequestError

DEFAULTS: Mapping[str, str] = {
    "nan_guard": "callbacks.nan_guard.NanGuard",
    "evaluate": "callbacks.evaluate.Evaluate",
    "metrics": "callbacks.metrics.Metrics",
    "progress": "callbacks.progress.Progress",
    "checkpoint": "callbacks.checkpoint.Checkpoint",
}
"""Classes by name, in running order: those of ``conf/callbacks/default.yaml`` that export nothing."""

LIKE_THOSE_OF_KERAS: Mapping[str, str] = {
    "EarlyStopping": "early_stopping.EarlyStopping",
    "ModelCheckpoint": "checkpoint.Checkpoint",
    "BackupAndRestore": "checkpoint.Checkpoint",
    "TerminateOnNaN": "nan_guard.NanGuard",
    "CSVLogger": "metrics.Metrics",
}
"""Callbacks of this trainer that do what those of Keras do, by the names of Keras's classes."""

OPTIONS: Mapping[str, Mapping[str, object]] = {"checkpoint": {"every_n_epochs": None, "every_n_secs": 30}}
"""Arguments by name: in a notebook an epoch may be over in less time than a checkpoint takes."""

Given = Sequence[Callback] | Mapping[str, Callback | None]
"""Callbacks as a user gives them: a list, or a mapping in which None leaves out a default one."""


def with_defaults(given: Given, *, quiet: bool = False) -> dict[str, Callback]:
    """Returns the default callbacks with those of a user.

    One that has the name of a default one, or writes the same files, takes its place.

    Args:
        given: Callbacks of the user.
        quiet: Whether to leave out the progress.

    Raises:
        RequestError: A value is no callback, or None for a name that is not among the defaults.
    """
    named = named_callbacks(given)
    defaults = {name: target for name, target in DEFAULTS.items() if name not in named}
    if quiet:
        defaults.pop("progress", None)
    join_packages(defaults.values())
    made: dict[str, Callback] = {
        name: resolve_name(target)(**OPTIONS.get(name, {})) for name, target in defaults.items()
    }
    written = {each for callback in named.values() if callback is not None for each in callback.writes}
    made = {name: callback for name, callback in made.items() if written.isdisjoint(callback.writes)}
    chosen = {name: made.get(name, named.get(name)) for name in [*DEFAULTS, *named]}
    return {name: callback for name, callback in chosen.items() if callback is not None}


def named_callbacks(given: Given) -> dict[str, Callback | None]:
    """Returns callbacks by name; one of a list has the name of its class, as ``early_stopping``.

    Raises:
        RequestError: A value is no callback, or None for a name that is not among the defaults.

    Example:
        >>> class EarlyStopping(Callback):
        ...     pass
        >>> list(named_callbacks([EarlyStopping(), EarlyStopping()]))
        ['early_stopping', 'early_stopping_2']
    """
    if isinstance(given, Mapping):
        named = dict(given)
    elif isinstance(given, Sequence) and not isinstance(given, str):
        named = {}
        for each in given:
            named[_free_name(_snake_case(type(each).__name__), named)] = each
    else:
        raise RequestError(
            f"callbacks is a {type(given).__name__}; it must be a list of callbacks, or a mapping of names to "
            "callbacks in which None leaves out a default one",
            argument="callbacks",
        )
    for name, callback in named.items():
        if callback is None and name not in DEFAULTS:
            raise RequestError(
                f"callbacks[{name!r}] is None, which leaves out a default callback; {suggestion(name, DEFAULTS)}",
                argument="callbacks",
            )
        if callback is not None and not isinstance(callback, Callback):
            what = f"the class {callback.__name__}" if isinstance(callback, type) else type(callback).__name__
            remedy = "make an object of it: add ()" if isinstance(callback, type) else _remedy(callback)
            raise RequestError(
                f"callbacks holds {what}, which is no callback of this trainer; {remedy}", argument="callbacks"
            )
    return named


def _remedy(callback: object) -> str:
    """Returns what to give in place of an object of another library."""
    like = LIKE_THOSE_OF_KERAS.get(type(callback).__name__)
    return "derive it from trainer.Callback" if like is None else f"its like here is callbacks.{like}"


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    names = (name, *(f"{name}_{count}" for count in range(2, len(taken) + 2)))
    return next(each for each in names if each not in taken)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
