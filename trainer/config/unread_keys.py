"""Keys of a config that nothing reads, with the keys that are probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trainer.checks import close_matches
from trainer.config.dotted import flat
from trainer.config.near_keys import close_keys
from trainer.config.schema import SECTIONS, TOP_KEYS
from trainer.config.wrong_values import about_deleted
from trainer.errors import RequestError

OWN = "vars"
"""Key under which a user may put any values, to interpolate them."""


def check_keys(config: Mapping[str, Any], groups: Sequence[str] = (), chosen: Iterable[str] = ()) -> None:
    """Refuses a config with keys that nothing reads, or without a key that something reads.

    The keys in nodes are left to ``check_arguments``, since the signature of the target decides.

    Args:
        config: Composed config as plain Python.
        groups: Names of all groups, for close matches.
        chosen: Names of the groups of which a file was chosen.

    Raises:
        RequestError: There is such a key; the message has close matches.

    Example:
        >>> check_keys({**dict.fromkeys(TOP_KEYS), "loop": {"epoch": 1, "epochs": 300}})
        Traceback (most recent call last):
        trainer.errors.RequestError: there is no key loop.epoch; did you mean loop.epochs?
    """
    for key in unread_keys(config):
        raise RequestError(about_unread(key, list(flat(config)), groups, chosen))
    for key in TOP_KEYS:
        if key not in config and key != OWN:
            raise RequestError(about_deleted(key))


def unread_keys(config: Mapping[str, Any]) -> Iterator[str]:
    """Yields the dotted keys outside nodes that nothing reads.

    Args:
        config: Config as plain Python.

    Example:
        >>> list(unread_keys({"seed": 0, "trial": "fast", "run": {"nam": "x"}, "vars": {"size": 3}}))
        ['trial', 'run.nam']
    """
    for key, value in config.items():
        if key not in TOP_KEYS:
            yield from flat({key: value})
        elif key in SECTIONS and isinstance(value, Mapping):
            yield from (f"{key}.{name}" for name in value if name not in SECTIONS[key])


def about_unread(key: str, known: Iterable[str], groups: Sequence[str] = (), chosen: Iterable[str] = ()) -> str:
    """Returns the message about a key that nothing reads.

    Args:
        key: Dotted key.
        known: Dotted keys of the config.
        groups: Names of all groups.
        chosen: Names of the groups of which a file was chosen.

    Example:
        >>> about_unread("epochs", ["loop.epochs", "seed"])
        'there is no key epochs; did you mean loop.epochs?'
        >>> about_unread("trial", ["loop.epochs"])
        'nothing reads the key trial; values of your own go under vars: +vars.trial=VALUE, for ${vars.trial}'
    """
    top, _, rest = key.partition(".")
    if top not in TOP_KEYS and (top in chosen or (top == "experiment" and rest)):
        return (
            f"nothing reads the key {top}, under which the file of the group {top} puts its values; begin the file "
            "with the line '# @package _global_'"
        )
    if not rest and top not in TOP_KEYS and (near := close_matches(top, groups)):
        return f"there is no group {top}; did you mean {' or '.join(_choice(each) for each in near)}?"
    readable = [each for each in known if _is_read(each)]
    ends = [each for each in readable if each.rpartition(".")[2] == key]
    if near := ends or close_keys(key, readable):
        return f"there is no key {key}; did you mean {' or '.join(near)}?"
    if top in SECTIONS:
        return f"there is no key {key}; {top} has: {', '.join(SECTIONS[top])}"
    name = key if not rest else top
    return f"nothing reads the key {key}; values of your own go under vars: +vars.{name}=VALUE, for ${{vars.{name}}}"


def _choice(group: str) -> str:
    return f"+{group}=NAME" if group not in TOP_KEYS else f"{group}=NAME"


def _is_read(key: str) -> bool:
    top, _, rest = key.partition(".")
    return top in TOP_KEYS and top != OWN and (top not in SECTIONS or rest in ("", *SECTIONS[top]))
