"""Forms in which a config contains callbacks, and the correct form for each wrong one.

A file of ``callbacks/`` contains a node under its own key. ``+callbacks=NAME`` adds it on the command line,
``- override /callbacks: [default, NAME]`` in an experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainer.errors import RequestError

TARGET = "_target_"


def check_callback_nodes(callbacks: Any) -> None:
    """Refuses callbacks in any form other than a node under its own key.

    Args:
        callbacks: Node by name of the callback, as plain Python.

    Raises:
        RequestError: A callback has another form; the message shows the correct one.
    """
    if callbacks is None:
        raise RequestError("callbacks is null; leave callbacks out, or drop one by name with '~callbacks.NAME'")
    if TARGET in callbacks:
        raise RequestError(_flat_file(str(callbacks[TARGET])))
    for name, node in callbacks.items():
        if node is None:
            raise RequestError(f"callbacks.{name} is null; leave the callback out with '~callbacks.{name}'")
        if not isinstance(node, Mapping) or node.get(TARGET) not in (None, "???"):
            continue
        inner = next((key for key, each in node.items() if isinstance(each, Mapping) and TARGET in each), None)
        if inner is not None:
            raise RequestError(
                f"callbacks.{name} holds the node callbacks.{name}.{inner}: a file of callbacks/ names its own key; "
                f"add it with +callbacks={inner}, or in an experiment with - override /callbacks: [default, {inner}]"
            )
        if TARGET not in node:
            raise RequestError(_settings_alone(str(name), node))


def _flat_file(target: str) -> str:
    name = target.rpartition(".")[2]
    key = "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
    return (
        f"callbacks.{TARGET} ({target!r}): a file of callbacks/ holds a node under its own key:\n"
        f"  {key}:\n    {TARGET}: {target}\n"
        "then +callbacks=FILE adds it, or in an experiment - override /callbacks: [default, FILE]"
    )


def _settings_alone(name: str, node: Mapping[Any, Any]) -> str:
    settings = f"the settings {', '.join(map(str, node))}" if node else "nothing in it"
    return (
        f"callbacks.{name} has no {TARGET}, but {settings}: the choice of callbacks does not hold {name}; add it with "
        f"+callbacks={name}, leave its settings out with '~callbacks.{name}', or set callbacks.{name}.{TARGET}"
    )


def check_choice_of_callbacks(choice: str | None, callbacks: Mapping[str, Any], defaults: Sequence[str]) -> None:
    """Refuses a choice of a single callback, which drops all the others.

    Args:
        choice: Value of the group, or None for a list, which is explicit and accepted.
        callbacks: Composed node by name of the callback.
        defaults: Names of the callbacks without the choice.

    Raises:
        RequestError: The choice drops callbacks; the message names them and shows how to add one instead.
    """
    chosen = [name for name, node in callbacks.items() if isinstance(node, Mapping) and TARGET in node]
    dropped = [name for name in defaults if name not in chosen]
    if choice in (None, "default") or len(chosen) > 1 or not dropped or TARGET in callbacks:
        return
    raise RequestError(
        f"callbacks={choice} leaves out {', '.join(dropped)}; add {choice} to them with +callbacks={choice}, in an "
        f"experiment with - override /callbacks: [default, {choice}] ('callbacks=[{choice}]' is {choice} alone)"
    )


def dropped_by_choice(before: Iterable[str], callbacks: Mapping[str, Any]) -> list[str]:
    """Returns the callbacks of the experiment that a choice on the command line drops.

    Args:
        before: Names of the callbacks without the choice.
        callbacks: Node by name of the callback, with the choice.
    """
    return [name for name in before if TARGET not in (callbacks.get(name) or {})]
