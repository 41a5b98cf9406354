"""Keys that look like a key that was typed, by tables."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from trainer.config.near_keys import check_added_keys, close_keys
from trainer.errors import RequestError

KNOWN = ["optimizer", "optimizer._target_", "optimizer.learning_rate", "loop", "loop.epochs", "callbacks.freeze.name"]

CLOSE = [
    ("optimizer.learningrate", ["optimizer.learning_rate"]),
    ("optimizer.target", []),
    ("optimizer.nesterov", []),
    ("loop.epoch", ["loop.epochs"]),
    ("learning_rate", ["optimizer.learning_rate"]),
    ("callback.freeze.name", ["callbacks.freeze.name"]),
    ("optimiser.learning_rate", ["optimizer.learning_rate"]),
]


@pytest.mark.parametrize(("key", "near"), CLOSE)
def test_close_keys(key, near) -> None:
    assert close_keys(key, KNOWN) == near


def node(**keys: float) -> dict[str, object]:
    return {"optimizer": {"_target_": "keras.optimizers.Adam", **keys}, "free": {**keys}}


# What is typed, the keys of the node besides it, and the key that is meant or None.
ADDED = [
    ("+optimizer.learningrate=1", {"learning_rate": 0.1}, "optimizer.learning_rate"),
    ("++optimizer.learning_rat=1", {"learning_rate": 0.1}, "optimizer.learning_rate"),
    ("+optimizer.beta2=1", {"beta_2": 0.1}, "optimizer.beta_2"),
    ("+optimizer.beta_2=1", {"beta_1": 0.1}, None),
    ("+optimizer.nesterov=true", {"momentum": 0.1}, None),
    ("+optimizer.ema_momentum=1", {"momentum": 0.1}, None),
    ("+free.learningrate=1", {"learning_rate": 0.1}, None),
    ("optimizer.learning_rate=1", {"learningrate": 0.1}, None),
]


@pytest.mark.parametrize(("typed", "there", "meant"), ADDED)
def test_an_added_key_that_is_there_in_another_spelling_is_refused(typed, there, meant) -> None:
    key = typed.lstrip("+").partition("=")[0].rpartition(".")[2]
    config = OmegaConf.create(node(**there, **{key: 1}))
    if meant is None:
        check_added_keys(config, [typed])
        return
    with pytest.raises(RequestError, match=f"did you mean {meant}"):
        check_added_keys(config, [typed])


def test_two_added_keys_are_not_compared_with_each_other() -> None:
    config = OmegaConf.create(node(learningrate=1, learning_rate=1))
    check_added_keys(config, ["+optimizer.learningrate=1", "+optimizer.learning_rate=1"])
