"""Arguments of nodes compared with the signatures of their targets, before anything is made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trainer.checks import close_matches, suggestion
from trainer.config.allowed_targets import Allowed
from trainer.config.annotations import fits, in_words, is_node
from trainer.config.parameters import Parameter, Parameters, parameters_of
from trainer.config.targets import find_object, renamed_argument
from trainer.errors import RequestError
from trainer.files import local_path

POSITIONAL = "_args_"
EXAMPLES = (2, 0.5, True, "name", [2], ["name"])
OF_HYDRA = ("_target_", "_partial_", "_recursive_", "_convert_", POSITIONAL)


def check_arguments(key: str, node: Any, allowed: Allowed | None = None) -> None:
    """Refuses arguments of a node, and of the nodes in it, that the signature of the target does not accept.

    A target that cannot be found, or that has no signature, is left to the error of its instantiation.

    Args:
        key: Dotted key of the node.
        node: Node as plain Python, with resolved interpolations.
        allowed: What the node may name besides what all may; None for nothing.

    Raises:
        RequestError: The target is none that a config may call, an argument is unknown, or its value has another type
            or is out of range.

    Example:
        >>> check_arguments("data", {"_target_": "trainer.data.synthetic.line", "slope": "steep"})
        Traceback (most recent call last):
        trainer.errors.RequestError: data.slope ('steep') must be a number; the default is 3.0
    """
    for each, inner in _nodes_in(key, node):
        target = str(inner["_target_"])
        (allowed or Allowed()).check(each, target)
        found = find_object(target)
        if found is not None:
            (allowed or Allowed()).check_object(each, target, found)
        parameters = parameters_of(found)
        if parameters is not None:
            _check_node(each, target, inner, parameters)


def _nodes_in(key: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the nodes in a value with their keys, the outer before the inner."""
    if is_node(value):
        yield key, value
        if value.get("_recursive_") is False:
            return
    children: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        children = ((f"{key}.{name}", each) for name, each in value.items())
    elif isinstance(value, list):
        children = ((f"{key}[{i}]", each) for i, each in enumerate(value))
    for each, inner in children:
        yield from _nodes_in(each, inner)


def _check_node(key: str, target: str, node: Mapping[str, Any], parameters: Parameters) -> None:
    named = {str(name): value for name, value in node.items() if name not in OF_HYDRA}
    for name, value in named.items():
        parameter = parameters.get(name)
        if parameter is None:
            raise RequestError(_unknown(key, target, name, list(parameters.named)))
        _check_value(f"{key}.{name}", target, value, parameter, is_strict=parameters.is_strict)
        if name == "path" and parameters.is_strict and isinstance(value, str):
            local_path(value, f"{key}.{name}")
    for i, (value, parameter) in enumerate(zip(node.get(POSITIONAL) or (), parameters.named.values(), strict=False)):
        _check_value(f"{key}.{POSITIONAL}[{i}]", target, value, parameter, is_strict=parameters.is_strict)


def _unknown(key: str, target: str, name: str, known: list[str]) -> str:
    if now := renamed_argument(name, known):
        return f"there is no key {key}.{name}; it is {key}.{now} now"
    near = [f"{key}.{each}" for each in close_matches(name, known)]
    hint = f"did you mean {' or '.join(near)}?" if near else suggestion(name, known)
    return f"there is no key {key}.{name}: {target} has no argument {name!r}; {hint}"


def _check_value(key: str, target: str, value: Any, parameter: Parameter, *, is_strict: bool) -> None:
    annotation = parameter.annotation
    if not fits(value, annotation):
        expected = in_words(annotation)
    elif is_strict and not _is_finite(value):
        expected = "finite"
    else:
        return
    if parameter.is_inferred:
        hint = f", as the default of {target} is {shown(parameter.default)}; annotate the argument if it takes more"
    else:
        hint = _remedy(key, value, annotation) or _default(parameter)
    raise RequestError(f"{key} ({shown(value)}) must be {expected}{hint}")


def _remedy(key: str, value: Any, annotation: Any) -> str:
    """Returns the value that is probably meant, or '' if there is none."""
    unquoted = _unquoted(value)
    if unquoted is not None and fits(unquoted, annotation):
        return f"; write {key}={value.lower()} without quotes"
    if isinstance(value, str) and "." in value and "_target_" in in_words(annotation):
        return f"; set {key}._target_={value}"
    if isinstance(value, float) and math.isfinite(value) and fits(round(value), annotation):
        return f", such as {round(value)}"
    if isinstance(value, str | int | float) and fits([value], annotation):
        return f", such as [{value}]"
    if isinstance(value, int | float) and fits(str(value), annotation):
        return f"; put it in quotes: '{key}=\"{value}\"'"
    if isinstance(value, list) and len(value) == 1 and fits(value[0], annotation):
        return f", such as {shown(value[0])}"
    return ""


def _default(parameter: Parameter) -> str:
    """Returns the default, or else a value that fits."""
    if isinstance(parameter.default, str | int | float) or parameter.default is None:
        return f"; the default is {shown(parameter.default)}"
    example = next((each for each in EXAMPLES if fits(each, parameter.annotation)), None)
    return "" if example is None else f", such as {shown(example)}"


def shown(value: Any) -> str:
    """Returns a value as it is written in a config."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _unquoted(value: Any) -> Any:
    """Returns the number or truth value that a text is in quotes, or None."""
    if not isinstance(value, str):
        return None
    words = {"true": True, "false": False}
    if value.lower() in words:
        return words[value.lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return None


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return is_node(value) or all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
