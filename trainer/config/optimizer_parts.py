"""Nodes of the optimizers of several parts of the variables; no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trainer.checks import check_int, check_names, check_number, suggestion
from trainer.errors import RequestError

SEVERAL = "trainer.Optimizers"
"""Target of a node that has an optimizer for each part."""

KEYS = ("_target_", "parts", "in_turn")
OWN_KEYS = ("variables", "loss", "every_n_steps")
"""Keys of a part that are no arguments of its optimizer."""

RATE = re.compile(r"(fit\.)?optimizer\.(parts\.\w+\.(optimizer\.)?)?learning_rate(\..*)?")

IN_PART = re.compile(r"optimizer\.parts\.\w+\.\w+")
"""Key of a setting of a part."""

NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
EXAMPLE = "+optimizer.parts.head='{_target_: keras.optimizers.Adam, learning_rate: 0.001, variables: [head/*]}'"


def is_several(node: Mapping[str, Any]) -> bool:
    """Returns whether a node has an optimizer for each part.

    Example:
        >>> is_several({"_target_": "keras.optimizers.Adam"})
        False
    """
    return node.get("_target_") == SEVERAL


def is_rate(key: str) -> bool:
    """Returns whether a key is that of a learning rate, in a config or in the settings of ``trainer.fit``.

    Example:
        >>> [is_rate(f"optimizer.{key}") for key in ("learning_rate", "parts.d.learning_rate", "parts.d.loss")]
        [True, True, False]
    """
    return RATE.fullmatch(key) is not None


def check_parts(node: Mapping[str, Any]) -> None:
    """Refuses parts that cannot be optimizers, and an order that does not name each of them once.

    Args:
        node: Node of one or several optimizers as plain Python, with resolved interpolations.

    Raises:
        RequestError: A key is unknown, or a value has another type or is out of range.

    Example:
        >>> check_parts({"_target_": SEVERAL, "parts": {"d": {"variables": ["d/*"]}}})
        Traceback (most recent call last):
        trainer.errors.RequestError: optimizer.parts.d has no _target_; add optimizer.parts.d._target_=module.Class
    """
    if not is_several(node):
        if "parts" in node:
            raise RequestError(
                f"optimizer has the target {node.get('_target_')} and parts; optimizer.parts belongs to "
                "optimizer=several, so leave out the other choice, or the parts with '~optimizer.parts'"
            )
        return
    if unknown := [key for key in node if key not in KEYS]:
        raise RequestError(f"there is no key optimizer.{unknown[0]}; {suggestion(unknown[0], KEYS[1:])}")
    parts = node.get("parts") or {}
    if not isinstance(parts, Mapping) or not parts:
        raise RequestError(f"optimizer.parts ({parts!r}) must have an optimizer for each part, such as {EXAMPLE}")
    for name, part in parts.items():
        _check_part(name, part)
    in_turn = node.get("in_turn")
    if in_turn is not None and sorted(check_names("optimizer.in_turn", in_turn)) != sorted(parts):
        raise RequestError(
            f"optimizer.in_turn ({', '.join(in_turn)}) must name each part once: {', '.join(parts)}; "
            "null updates all at once"
        )


def _check_part(name: Any, part: Any) -> None:
    key = f"optimizer.parts.{name}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RequestError(f"{key}: {name!r} must be letters, digits and '_', beginning with a letter")
    if not isinstance(part, Mapping):
        raise RequestError(f"{key} ({part!r}) must be a node, such as {EXAMPLE}")
    target = part.get("_target_")
    if not isinstance(target, str) or "." not in target:
        raise RequestError(f"{key} has no _target_; add {key}._target_=module.Class")
    if "variables" not in part:
        near = "variables" if len(part) == 1 else suggestion("variables", [str(each) for each in part])
        hint = f" ({near})" if near.startswith("did") else ""
        raise RequestError(f"{key} has no variables{hint}; add {key}.variables=[PATTERN], such as [{name}/*]")
    check_names(f"{key}.variables", part["variables"])
    check_int(f"{key}.every_n_steps", part.get("every_n_steps", 1), minimum=1)
    if not isinstance(part.get("loss"), str | None):
        raise RequestError(f"{key}.loss ({part['loss']!r}) must be the name of a loss, or null for their sum")
    rate = part.get("learning_rate")
    if rate is not None and not isinstance(rate, Mapping):
        check_number(f"{key}.learning_rate", rate, above=0)
