"""Values that an annotation accepts, by a table, and annotations in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional

import pytest

from trainer.config.annotations import Range, fits, in_words
from trainer.data.arrays import Arrays

NODE = {"_target_": "a.b"}
Share = Annotated[float, Range(least=0, most=1)]

# An annotation, values that it accepts, and values that it does not.
TABLE: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [0, -3, NODE], [1.0, 2.5, True, None, "3", [1], {"a": 1}]),
    (float, [0, 2.5, NODE], [True, None, "0.1", "abc", [0.1]]),
    (bool, [True, False, NODE], [0, 1, None, "yes", "true"]),
    (str, ["a", "", NODE], [1, None, True, ["a"]]),
    (int | None, [3, None], [2.5, "3", True]),
    (Optional[float], [0.5, None], ["x", [1]]),  # noqa: UP045 - users write it
    (Literal["min", "max"], ["min"], ["mean", 1, None]),
    (Literal[1, "auto"], [1, "auto"], [True, 2]),
    (Sequence[int], [[], [1, 2]], ["12", 1, None, [1.5], [None], {"a": 1}]),
    (Sequence[str], [["a"], [NODE]], ["a", [1], None]),
    (list[float], [[1, 2.5]], [1, "x", ["x"]]),
    (tuple[int, str], [[1, "a"]], [[1], ["a", 1], [1, "a", 2]]),
    (tuple[int, ...], [[], [1, 2, 3]], [["a"]]),
    (set[str], [["a"]], ["a"]),
    (Mapping[str, Sequence[str]], [{}, {"x": ["a"]}], [["x"], "x", {"x": "a"}, {"x": [1]}]),
    (dict[str, int], [{"a": 1}], [{"a": "1"}, None]),
    (Sequence[str] | Mapping[str, str] | None, [None, ["a"], {"a": "b"}], ["a", 3, [1]]),
    (Callable[[], Any], [NODE], ["a", 1, None]),
    (Arrays, [NODE], ["mydata.arrays", 1, None, []]),
    (Path, ["a/b"], [1, None]),
    (Share, [0, 1, 0.5], [-0.1, 1.1, float("nan"), "0.5", True, None]),
    (Annotated[float, Range(above=0)] | None, [1e-9, None, NODE], [0, -1, float("inf"), float("nan")]),
    (Any, [None, 1, "a", [], {}], []),
    (object, [None, 1], []),
    (NewType("Size", int), [1], ["a", 1.5]),
    (range, [1, "a"], []),  # a class of others, which may take anything
]


@pytest.mark.parametrize(("annotation", "right", "wrong"), TABLE, ids=lambda value: str(value)[:40])
def test_values(annotation, right, wrong) -> None:
    assert [value for value in right if not fits(value, annotation)] == []
    assert [value for value in wrong if fits(value, annotation)] == []


WORDS = [
    (int, "a whole number"),
    (float | None, "a number or null"),
    (Share, "a number from 0 to 1"),
    (Annotated[int, Range(least=2)] | None, "a whole number of at least 2 or null"),
    (Annotated[float, Range(above=0)], "a number greater than 0"),
    (Sequence[Share], "a list of numbers from 0 to 1"),
    (Mapping[str, int], "a mapping"),
    (list[list[int]], "a list of lists of whole numbers"),
    (Sequence[Any], "a list"),
    (Path, "a path"),
    (Callable[[], Any], "a node with a _target_"),
    (Arrays | Callable[[], Arrays], "a node with a _target_"),
]


@pytest.mark.parametrize(("annotation", "words"), WORDS)
def test_words(annotation, words) -> None:
    assert in_words(annotation) == words
