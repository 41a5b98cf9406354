"""Arguments of nodes: each value of each shipped config in turn is given a wrong type, and refused by its key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from trainer.config.check_arguments import check_arguments
from trainer.config.sources import conf_directory
from trainer.errors import RequestError


def shipped_nodes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the nodes of all shipped files by key."""
    for group in ("model", "data", "optimizer", "callbacks"):
        for file in sorted((conf_directory() / group).glob("*.yaml")):
            node = yaml.safe_load(file.read_text())
            if group != "callbacks":
                yield group, node
            elif "defaults" not in node:
                yield from ((f"callbacks.{name}", each) for name, each in node.items())


def leaves(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the paths of the values of a node."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        elif not key.startswith("_"):
            yield (*path, key)


def without_missing(node: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of a node without the values that a user must set; a missing target is a function of the user."""
    kept = {key: value for key, value in node.items() if value != "???"}
    if "_target_" in node:
        kept.setdefault("_target_", "mine.function")
    return {key: without_missing(value) if isinstance(value, dict) else value for key, value in kept.items()}


def changed(node: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Returns a copy of a node with another value, and without the other values that a user must set."""
    result = inner = without_missing(node)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


# A data set is a user's own function, so that only the nodes around it have types.
NODES = [(key, node) for key, node in shipped_nodes()]
LEAVES = [(key, node, path) for key, node in NODES for path in leaves(node)]
WRONG: list[Any] = ["abc", None, True, 1.5, -1, [0.1], [None], {"a": {"b": 1}}, float("nan"), "0.1", "yes", 5]


def test_all_files_are_seen() -> None:
    assert len(NODES) >= 25
    assert len(LEAVES) >= 80


@pytest.mark.parametrize(("key", "node"), NODES, ids=lambda value: str(value)[:60])
def test_a_shipped_node_is_accepted(key, node) -> None:
    check_arguments(key, without_missing(node))


@pytest.mark.parametrize(("key", "node", "path"), LEAVES, ids=lambda value: str(value)[:60])
def test_a_value_of_a_wrong_type_is_refused_by_its_key(key, node, path) -> None:
    full, refused = f"{key}.{'.'.join(path)}", 0
    for value in WRONG:
        try:
            check_arguments(key, changed(node, path, value))
        except RequestError as error:
            refused += 1
            assert str(error).startswith(f"{full} ("), str(error)
            assert " must be " in str(error)
    # A number refuses all but numbers, text all but text; only values such as [] | null take more.
    assert refused >= 5


@pytest.mark.parametrize(("key", "node", "path"), LEAVES, ids=lambda value: str(value)[:60])
def test_a_misspelt_key_is_refused_with_a_close_match(key, node, path) -> None:
    if node["_target_"].startswith("keras.") and len(path) == 1:
        return  # **kwargs takes it, and Keras refuses it itself
    wrong = changed(node, (*path[:-1], f"{path[-1]}x"), 1)
    with pytest.raises(RequestError, match=f"there is no key .*{path[-1]}x: .*did you mean .*{path[-1]}"):
        check_arguments(key, wrong)


SGD = {"_target_": "keras.optimizers.SGD"}
DECAY = {"_target_": "keras.optimizers.schedules.ExponentialDecay", "initial_learning_rate": 0.1, "decay_rate": 0.9}

# A node, and the beginning and the end of the answer.
ANSWERS = [
    (
        {**SGD, "learning_rate": "0.1"},
        "optimizer.learning_rate ('0.1')",
        "write optimizer.learning_rate=0.1 without quotes",
    ),
    ({**SGD, "learning_rate": [0.1]}, "optimizer.learning_rate ([0.1])", ", such as 0.1"),
    ({**SGD, "learning_rate": True}, "optimizer.learning_rate (true)", "a number greater than 0; the default is 0.01"),
    ({**SGD, "learning_rate": None}, "optimizer.learning_rate (null)", "the default is 0.01"),
    ({**SGD, "nesterov": "yes"}, "optimizer.nesterov ('yes')", "true or false; the default is false"),
    ({**SGD, "momentum": 2}, "optimizer.momentum (2)", "from 0 to 1; the default is 0.0"),
    ({**SGD, "clipnorm": 0}, "optimizer.clipnorm (0)", "greater than 0 or null; the default is null"),
    ({**SGD, "gradient_accumulation_steps": 1.5}, "optimizer.gradient_accumulation_steps (1.5)", ", such as 2"),
    (
        {**SGD, "learning_rate": {**DECAY, "decay_steps": "abc"}},
        "optimizer.learning_rate.decay_steps ('abc')",
        "than 0, such as 2",
    ),
    ({**SGD, "_args_": ["abc"]}, "optimizer._args_[0] ('abc')", "the default is 0.01"),
    ({"_target_": "callbacks.freeze.Freeze", "name": 5}, "optimizer.name (5)", "in quotes: 'optimizer.name=\"5\"'"),
    ({"_target_": "callbacks.freeze.Freeze", "outputs": "op"}, "optimizer.outputs ('op')", ", such as [op]"),
    ({"_target_": "trainer.data.arrays.InMemory", "examples": "a.b"}, "optimizer.examples ('a.b')", "._target_=a.b"),
    ({"_target_": "trainer.data.arrays.InMemory", "batch_size": 32.5}, "optimizer.batch_size (32.5)", ", such as 32"),
    ({"_target_": "trainer.data.files.npz", "path": "gs://b/x"}, "optimizer.path (gs://b/x)", "copy the files"),
    ({"_target_": "trainer.models.cnn.Cnn", "classes": "ten"}, "optimizer.classes ('ten')", "number, such as 2"),
    ({"_target_": "trainer.models.mlp.Mlp", "sizes": None}, "optimizer.sizes (null)", "whole numbers, such as [2]"),
    ({"a": [{**SGD, "momentum": "x"}]}, "optimizer.a[0].momentum ('x')", "the default is 0.0"),
]


@pytest.mark.parametrize(("node", "begin", "end"), ANSWERS, ids=lambda value: str(value)[:50])
def test_the_answer_has_key_value_and_remedy(node, begin, end) -> None:
    with pytest.raises(RequestError) as caught:
        check_arguments("optimizer", node)
    assert str(caught.value).startswith(begin)
    assert str(caught.value).endswith(end)


ACCEPTED = [
    {**SGD, "learning_rate": 1},
    {**SGD, "learning_rate": {**DECAY, "decay_steps": 10}},
    {"_target_": "no.such.Thing", "x": 1},
    {"_target_": "builtins.dict", "x": 1},
    {**SGD, "_recursive_": False, "momentum": {"_target_": "builtins.dict", "no": {"_target_": "x"}}},
    {"_target_": "trainer.data.arrays.InMemory", "_partial_": True, "batch_size": {"_target_": "builtins.int"}},
]


@pytest.mark.parametrize("node", ACCEPTED, ids=str)
def test_what_may_be_right_is_accepted(node) -> None:
    check_arguments("optimizer", node)


class Net:
    def __init__(self, units=3, *, wide=False):
        pass


class Plain:
    pass


def test_a_class_without_a_constructor_takes_no_argument() -> None:
    check_arguments("model", {"_target_": f"{__name__}.Plain"})
    with pytest.raises(RequestError, match=r"there is no key model\.x: .*Plain has no argument 'x'; there are none$"):
        check_arguments("model", {"_target_": f"{__name__}.Plain", "x": 1})


@pytest.mark.parametrize(("argument", "value"), [("units", "many"), ("units", None), ("units", True), ("wide", "no")])
def test_a_default_of_the_user_s_own_class_tells_the_type(argument, value) -> None:
    node = {"_target_": f"{__name__}.Net", argument: value}
    with pytest.raises(
        RequestError, match=rf"^model\.{argument} \(.*must be .*annotate the argument if it takes more$"
    ):
        check_arguments("model", node)
    check_arguments("model", {"_target_": f"{__name__}.Net", "units": 0.5, "wide": True})
