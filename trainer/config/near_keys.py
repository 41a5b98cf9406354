"""Keys similar to a typed key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from trainer.checks import close_matches
from trainer.errors import RequestError

ADDED = re.compile(r"\+{1,2}([\w.]+)=")
SURE = 0.9
"""Similarity from which an added key counts as misspelt; the names of two settings are less similar."""


def close_keys(key: str, known: Iterable[str]) -> list[str]:
    """Returns known keys similar to a key: keys of the same node by their last part, else whole keys.

    Args:
        key: Dotted key.
        known: Dotted keys that exist.

    Example:
        >>> close_keys("optimizer.learningrate", ["optimizer._target_", "optimizer.learning_rate", "loop.epochs"])
        ['optimizer.learning_rate']
    """
    parent, _, name = key.rpartition(".")
    known = [each for each in known if not each.endswith("_target_")]
    beside = {each.rpartition(".")[2]: each for each in known if each.rpartition(".")[0] == parent}
    elsewhere = [each for each in known if each not in beside.values() and not key.startswith(f"{each}.")]
    return [beside[each] for each in close_matches(name, beside)] or close_matches(key, elsewhere)


def check_added_keys(config: DictConfig, overrides: Iterable[str]) -> None:
    """Refuses ``+node.key=VALUE`` if the node has that key in another spelling.

    A Keras optimizer accepts keys that only its signature lists, and reading the signature needs TensorFlow. So only
    certain mistakes are refused here.

    Args:
        config: Composed config.
        overrides: Overrides as typed.

    Raises:
        RequestError: An added key is misspelt; the message has the existing key.
    """
    added = {match.group(1) for match in map(ADDED.match, overrides) if match and "." in match.group(1)}
    for key in sorted(added):
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(config, parent)
        plain: Any = OmegaConf.to_container(node) if isinstance(node, DictConfig) else {}
        there = [each for each in plain if f"{parent}.{each}" not in added]
        if "_target_" in there and (meant := next((each for each in there if _is_slip(name, each)), None)):
            raise RequestError(f"there is no key {key}; did you mean {parent}.{meant}? (set it without the +)")


def _is_slip(name: str, known: str) -> bool:
    """Returns whether two names are spellings of one name, rather than a series such as beta_1 and beta_2."""
    if re.sub(r"[\d_]", "", name) == re.sub(r"[\d_]", "", known):
        return re.sub(r"\D", "", name) == re.sub(r"\D", "", known)
    return difflib.SequenceMatcher(None, name, known).ratio() >= SURE
