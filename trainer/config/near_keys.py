"""Keys that look like a key that was typed."""

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
"""Likeness above which an added key is taken for a misspelt one; names of two settings are less alike."""


def close_keys(key: str, known: Iterable[str]) -> list[str]:
    """Returns the known keys that look like a key: by their last part beside it, else as a whole.

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
    """Refuses ``+node.key=VALUE`` where the node has that key in another spelling.

    An optimizer of Keras takes keys that only its signature has, and the signature needs TensorFlow. So only what is
    surely a slip is refused here.

    Args:
        config: The composed config.
        overrides: Settings as typed.

    Raises:
        RequestError: The message has the key that is there.
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
    """Returns whether two names are one in two spellings, and not two of a series such as beta_1 and beta_2."""
    if re.sub(r"[\d_]", "", name) == re.sub(r"[\d_]", "", known):
        return re.sub(r"\D", "", name) == re.sub(r"\D", "", known)
    return difflib.SequenceMatcher(None, name, known).ratio() >= SURE
