"""Debug choices: what they change in a composed config beyond the values of their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainer.checks import check_optional_choice
from trainer.errors import RequestError

CHOICES = ("fast", "overfit", "numerics", "shapes")
"""Values of the key ``debug``, which otherwise is null."""

IN_NEW_RUNS = ("fast", "overfit", "shapes")
"""Choices that make no sense in a run that is there."""

IN_TEMPORARY_DIRECTORY = ("fast", "overfit")
"""Choices whose runs are in a directory of the system's, so that no run of the user's is touched."""

FAST_STEPS = {"steps_per_epoch": 3, "validation_steps": 2}
"""Numbers of batches of a data set in ``debug=fast``, by the key of its node; null would count the data."""


def apply_debug(config: Any) -> None:
    """Changes a composed config as its key ``debug`` says.

    Args:
        config: Composed config.

    Raises:
        RequestError: The choice is unknown, or does not go together with ``resume``.
    """
    try:
        choice = check_optional_choice("debug", config.get("debug"), CHOICES)
    except (ValueError, TypeError) as error:
        raise RequestError(str(error), argument="debug") from error
    if choice in IN_NEW_RUNS and config.resume != "never":
        raise RequestError(f"debug={choice} takes no run that is there; leave out resume={config.resume}")
    if choice == "fast":
        for node in config.callbacks.values():
            _set_where_known(node, {"every_n_epochs": 1})
        _set_where_known(config.data, FAST_STEPS)


def _set_where_known(node: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if hasattr(node, "keys") and key in node:
            node[key] = value


def with_debug_last(overrides: Sequence[str]) -> tuple[str, ...]:
    """Returns overrides in an order in which the files of a debug choice win over those of an experiment.

    Example:
        >>> with_debug_last(["+debug=fast", "+experiment=linear", "loop.epochs=3"])
        ('+experiment=linear', 'loop.epochs=3', '+debug=fast')
    """
    return tuple(sorted(overrides, key=lambda each: each.lstrip("+").startswith("debug=")))
