"""Names of a Keras optimizer's variables: the same with every version of Keras.

Keras names them ``<optimizer>_<count>/<variable>_<slot>``. Up to Keras 3.14 an optimizer had a name of its
own by default (``SGD``, ``adamw``); since 3.15 it has its class's (``sgd``, ``adam_w``).
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.graph.state.keras_names import older_names_in_file

v1 = tf.compat.v1

STABLE = {"sgd": "SGD", "adam_w": "adamw", "rm_sprop": "rmsprop"}
"""Name of an optimizer in checkpoints, by the one that Keras derives from its class, where they differ."""

ITERATION = "iteration"
"""Name of a Keras optimizer's count of updates, by which the optimizer's scope is recognised."""

COUNTED = re.compile(r"(?P<base>.*?)(?:_(?P<count>\d+))?")


@contextlib.contextmanager
def stable_names() -> Iterator[None]:
    """Gives the variables made in the block their stable names, in the default graph.

    Example:
        >>> with tf.Graph().as_default(), stable_names(), tf.name_scope("adam_w_1"):
        ...     tf.Variable(0.1, name="learning_rate").op.name
        'adamw_1/learning_rate'
    """

    def create(next_creator: Any, **arguments: Any) -> Any:
        scope = v1.get_default_graph().get_name_scope()
        stable = stable_scope(scope)
        if stable == scope:
            return next_creator(**arguments)
        with tf.name_scope(f"{stable}/"):
            return next_creator(**arguments)

    with tf.variable_creator_scope(create):
        yield


def stable_scope(scope: str) -> str:
    """Returns the stable form of a scope's name.

    Example:
        >>> [stable_scope(name) for name in ("sgd", "outer/adam_w_12", "adam_3", "SGD", "")]
        ['SGD', 'outer/adamw_12', 'adam_3', 'SGD', '']
    """
    outer, slash, last = scope.rpartition("/")
    base, _ = _counted(last)
    return f"{outer}{slash}{STABLE[base]}{last[len(base) :]}" if base in STABLE else scope


def names_in_file(
    stored: Iterable[str], wanted: Iterable[str], older: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Returns the names in a file that differ from a graph's but stand for the same variable.

    Two names are the same optimizer variable if they differ only in the spelling of the optimizer's name and in
    its count, and if both sides have equally many such variables; these are paired in the order of the
    counts, the order in which they were made. Names that both sides have are left as they are.

    Args:
        stored: Names in the file.
        wanted: Names in the graph.
        older: Older names of Keras variables by the names in the graph, ``older_names(graph)``; None for none.

    Returns:
        Names in the file by the names in the graph; {} where nothing is spelled otherwise.

    Example:
        >>> names_in_file({"w", "sgd/iteration", "sgd_2/w_momentum"}, {"w", "SGD/iteration", "SGD_2/w_momentum"})
        {'SGD/iteration': 'sgd/iteration', 'SGD_2/w_momentum': 'sgd_2/w_momentum'}
    """
    stored, wanted = set(stored), set(wanted)
    forms = older_names_in_file(stored, wanted, older or {})
    spelled = _spelled_otherwise(stored, {forms.get(name, name) for name in wanted})
    pairs = {name: spelled.get(form, form) for name in wanted for form in (forms.get(name, name),)}
    return {name: pairs[name] for name in sorted(pairs) if pairs[name] != name}


def _spelled_otherwise(stored: set[str], wanted: set[str]) -> dict[str, str]:
    families = _families(stored) & _families(wanted)
    found, missing = (_by_role(names, families) for names in (stored - wanted, wanted - stored))
    pairs: dict[str, str] = {}
    for role in sorted(missing):
        if len(missing[role]) == len(found.get(role, ())):
            pairs.update(zip(missing[role], found[role], strict=True))
    return pairs


def under_names(tensors: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns values by name in a file under the names in the graph.

    Args:
        tensors: Values by name in the file.
        names: Names in the file by the names in the graph, where they differ.

    Example:
        >>> under_names({"w": 1, "sgd/iteration": 2}, {"SGD/iteration": "sgd/iteration"})
        {'w': 1, 'SGD/iteration': 2}
    """
    in_graph = {stored: name for name, stored in names.items()}
    return {in_graph.get(name, name): tensor for name, tensor in tensors.items()}


Role = tuple[str, str]
"""Optimizer's name without spelling and count, and the rest of a variable's name."""


def _by_role(names: Iterable[str], families: set[str]) -> dict[Role, Sequence[str]]:
    roles = defaultdict(list)
    for name in sorted(names, key=_order):
        scope, _, last = name.rpartition("/")
        if _family(scope) in families:
            roles[_family(scope), last].append(name)
    return dict(roles)


def _order(name: str) -> tuple[int, str]:
    return _counted(name.rpartition("/")[0])[1], name


def _families(names: Iterable[str]) -> set[str]:
    return {
        _family(scope) for scope, _, last in (name.rpartition("/") for name in names) if last == ITERATION and scope
    }


def _family(scope: str) -> str:
    return _counted(scope)[0].replace("_", "").lower()


def _counted(scope: str) -> tuple[str, int]:
    """Returns a scope's name without its count, and the count; 0 without one."""
    match = COUNTED.fullmatch(scope)
    return (match["base"], int(match["count"] or 0)) if match else (scope, 0)
