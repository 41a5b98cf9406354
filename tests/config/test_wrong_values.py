"""OmegaConf's own errors, and what is said instead."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainer.config.schema import TrainConfig
from trainer.config.wrong_values import explain_value

# A key, a value for it, and the answer.
TABLE = [
    ("seed", "abc", "seed ('abc') must be a whole number"),
    ("seed", 1.5, "seed ('1.5') must be a whole number"),
    ("seed", True, "seed ('True') must be a whole number"),
    ("seed", None, "seed cannot be null; leave seed out for the default, or give it a value"),
    ("loop.epochs", None, "loop.epochs cannot be null; give it a value: loop.epochs=N"),
    ("loop", None, "loop cannot be null; leave loop out for the default, or give it a value"),
    ("loop", 3, "loop (3) must be a mapping; set its keys: loop.epochs, loop.steps_per_epoch"),
    ("warm_start", 3, "warm_start (3) must be a mapping; set its keys: warm_start.path"),
    ("run.name", ["a"], "run.name (['a']) must be text"),
    ("trainable", 3, "trainable (3) must be a list of names, such as [NAME]"),
    ("warm_start.exclude", "x", "warm_start.exclude (x) must be a list of names"),
    ("vars", 5, "vars (5) must be a mapping, such as {name: 3}"),
    (
        "seed",
        "${nope}",
        "seed refers to ${nope}, and there is no such key; values of your own are set with +vars.nope=",
    ),
    ("seed", "${vars.x}", "values of your own are set with +vars.x=VALUE"),
]


@pytest.mark.parametrize(("key", "value", "answer"), TABLE, ids=str)
def test_the_answer_has_the_key_and_what_it_accepts(key, value, answer) -> None:
    assert answer in explain_value(text_of(key, value), overrides=[f"{key}={value}"])


@pytest.mark.parametrize("key", ["seed", "loop", "run", "resume", "loop.compile", "run.root", "warm_start.exclude"])
def test_null_in_a_file_is_answered_like_null_on_the_line(key) -> None:
    nested: Any = None
    for part in reversed(key.split(".")):
        nested = {part: nested}
    with pytest.raises(OmegaConfBaseException) as caught:
        OmegaConf.merge(OmegaConf.structured(TrainConfig), nested)
    assert explain_value(str(caught.value)).startswith(f"{key} cannot be null")


def text_of(key: str, value: Any) -> str:
    """Returns the message of the error that a value gives."""
    config = OmegaConf.structured(TrainConfig)
    with pytest.raises(OmegaConfBaseException) as caught:
        OmegaConf.update(config, key, value)
        OmegaConf.select(config, key)
    return str(caught.value)


def test_another_error_is_left_to_others() -> None:
    assert explain_value("something else") == ""
