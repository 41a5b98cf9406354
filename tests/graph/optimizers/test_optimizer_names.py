from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from trainer.graph.ops.variables import variables_by_name
from trainer.graph.optimizers.optimizer_names import names_in_file, stable_names, stable_scope, under_names

optimizers = keras.optimizers

SLOTS = {"SGD": ["momentum"], "adamw": ["momentum", "velocity"], "rmsprop": ["velocity"]}
"""Slots of one variable, by the stable name of its optimizer."""


def names(optimizer: keras.optimizers.Optimizer) -> list[str]:
    w = tf.Variable([1.0], name="w")
    before = set(variables_by_name(w.graph))
    optimizer.build([w])
    return [name for name in variables_by_name(w.graph) if name not in before]


# What Keras derives from the class, or had as a default, or a user gave: each makes the same names.
@pytest.mark.parametrize(
    ("make", "stable"),
    [
        (lambda: optimizers.SGD(0.1, momentum=0.9), "SGD"),
        (lambda: optimizers.SGD(0.1, momentum=0.9, name="SGD"), "SGD"),
        (lambda: optimizers.SGD(0.1, momentum=0.9, name="sgd"), "SGD"),
        (lambda: optimizers.AdamW(0.1), "adamw"),
        (lambda: optimizers.AdamW(0.1, name="adam_w"), "adamw"),
        (lambda: optimizers.RMSprop(0.1), "rmsprop"),
        (lambda: optimizers.RMSprop(0.1, name="rm_sprop"), "rmsprop"),
    ],
)
def test_an_optimizer_has_the_same_names_with_every_keras(make, stable) -> None:
    keras.utils.clear_session()
    with tf.Graph().as_default() as graph, stable_names():
        optimizer = make()
        names(optimizer)
        made = [name for name in variables_by_name(graph) if name != "w"]
    slots = [f"{stable}_{number}/w_0_{slot}" for number, slot in enumerate(SLOTS[stable], start=2)]
    assert made == [f"{stable}/iteration", f"{stable}_1/learning_rate", *slots]


def test_a_name_of_the_users_own_is_kept() -> None:
    with tf.Graph().as_default() as graph, stable_names():
        names(optimizers.SGD(0.1, name="mine"))
        assert set(variables_by_name(graph)) == {"w", "mine/iteration", "mine_1/learning_rate"}


def test_two_optimizers_of_a_kind_keep_apart() -> None:
    with tf.Graph().as_default() as graph, stable_names():
        made = [optimizers.SGD(0.1, momentum=0.9, name="sgd") for _ in range(2)]
        for optimizer in made:
            optimizer.build([tf.Variable([1.0], name="w")])
        assert len(variables_by_name(graph)) == 8
    assert {name.partition("_")[0].partition("/")[0] for name in variables_by_name(graph)} == {"SGD", "w"}


def test_outside_of_the_block_nothing_is_renamed() -> None:
    with tf.Graph().as_default(), tf.name_scope("sgd"):
        with stable_names():
            assert tf.Variable(0.0, name="a").op.name == "SGD/a"
        assert tf.Variable(0.0, name="b").op.name == "sgd/b"


@pytest.mark.parametrize(
    ("scope", "stable"),
    [
        ("", ""),
        ("sgd", "SGD"),
        ("sgd_7", "SGD_7"),
        ("adam_w", "adamw"),
        ("adam_w_3", "adamw_3"),
        ("adam_3", "adam_3"),
        ("rm_sprop_12", "rmsprop_12"),
        ("outer/sgd_1", "outer/SGD_1"),
        ("sgd/inner", "sgd/inner"),
        ("my_sgd", "my_sgd"),
        ("adam_w_x", "adam_w_x"),
    ],
)
def test_stable_scope(scope, stable) -> None:
    assert stable_scope(scope) == stable
    assert stable_scope(stable) == stable


SGD = {"w": "w", "SGD/iteration": "sgd/iteration", "SGD_1/learning_rate": "sgd_1/learning_rate"}
MOMENTUM = {**SGD, "SGD_2/w_0_momentum": "sgd_2/w_0_momentum", "SGD_3/v_momentum": "sgd_3/v_momentum"}
ADAMW = {"w": "w", "adamw/iteration": "adam_w/iteration", "adamw_1/w_velocity": "adam_w_1/w_velocity"}
# A schedule in place of a rate has no variable, so that all counts are one less.
SHIFTED = {"adam/iteration": "adam/iteration", "adam_2/w_velocity": "adam_1/w_velocity"}
TWO = {
    "SGD/iteration": "sgd/iteration",
    "SGD_1/w_momentum": "sgd_1/w_momentum",
    "SGD_2/iteration": "sgd_2/iteration",
    "SGD_10/w_momentum": "sgd_10/w_momentum",
}


@pytest.mark.parametrize(
    "same", [SGD, MOMENTUM, ADAMW, SHIFTED, TWO], ids=["sgd", "momentum", "adamw", "counts", "two"]
)
def test_a_file_with_other_spellings_is_mapped_by_role(same) -> None:
    differing = {name: stored for name, stored in same.items() if name != stored}
    assert names_in_file(same.values(), same) == differing
    assert names_in_file(same, same.values()) == {stored: name for name, stored in differing.items()}
    assert under_names({stored: name for name, stored in same.items()}, differing) == {name: name for name in same}


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ({"w", "Dense_1/kernel"}, {"w", "dense_1/kernel"}),  # no optimizer: a layer of another name
        ({"adam/iteration", "adam_1/w_velocity"}, {"adamw/iteration", "adamw_1/w_velocity"}),  # another optimizer
        ({"sgd/iteration", "sgd_1/w_momentum"}, {"SGD/iteration", "SGD_1/v_momentum"}),  # another variable's slot
        ({"sgd/iteration", "sgd_1/w_m", "sgd_2/w_m"}, {"SGD/iteration", "SGD_1/w_m"}),  # one of two: which?
        ({"w", "global_step"}, {"w", "SGD/iteration"}),  # a file without an optimizer
        ({"iteration"}, {"sgd/iteration"}),  # a variable that only has the name of a count
    ],
)
def test_what_is_not_the_same_role_is_left_to_the_comparison(stored, wanted) -> None:
    mapped = names_in_file(stored, wanted)
    assert not {name for name in mapped if not name.endswith("iteration")}
    assert all(mapped[name].lower() == name.lower() for name in mapped)
