"""Tensors of a file beside those that a Saver wants, as plain data."""

from __future__ import annotations

import pytest

from trainer.checkpoints.contents import Entry, Tensor, differences, unmet, whole_tensors

F = "float32"


@pytest.mark.parametrize(
    ("declared", "stored", "fits"),
    [
        (Tensor(F, (3, 4)), Tensor(F, (3, 4)), True),
        (Tensor(F, (3, 4)), Tensor(F, (4, 3)), False),
        (Tensor(F, (3, 4)), Tensor(F, (3,)), False),
        (Tensor(F, (3, 4)), Tensor("float64", (3, 4)), False),
        (Tensor(F, ()), Tensor(F, ()), True),
        (Tensor(F, (0, 3)), Tensor(F, (0, 3)), True),
        (Tensor(F, (None, 4)), Tensor(F, (7, 4)), True),
        (Tensor(F, (None, 4)), Tensor(F, (7, 5)), False),
        (Tensor(F, (None,)), Tensor(F, ()), False),
        (Tensor(F, None), Tensor(F, (7, 5)), True),
        (Tensor(F, None), Tensor("int32", (7, 5)), False),
        (Tensor("variant", ()), Tensor("variant", (1009,)), True),
    ],
    ids=str,
)
def test_a_stored_tensor_is_restored_where_dtype_and_known_sizes_agree(declared, stored, fits) -> None:
    assert declared.accepts(stored) == fits
    assert (unmet({"w": stored}, {"w": declared}) == []) == fits


def test_slices_of_a_tensor_are_wanted_as_a_whole() -> None:
    entries = [
        Entry("w", "", Tensor(F, (3,))),
        Entry("table", "10 4 0,4:-", Tensor(F, (4, 4))),
        Entry("table", "10 4 4,6:-", Tensor(F, (6, 4))),
        Entry("columns", "2 3 -:0,1", Tensor("string", (2, 1))),
    ]
    wanted = whole_tensors(entries)
    assert wanted == {"w": Tensor(F, (3,)), "table": Tensor(F, (10, 4)), "columns": Tensor("string", (2, 3))}
    parts = {"w": Tensor(F, (3,)), "table/part_0": Tensor(F, (4, 4)), "columns": Tensor("string", (2, 3))}
    assert unmet(parts, wanted) == ["table: graph float32 [10, 4], not in the file"]
    assert differences(parts, wanted)[1:] == ["table/part_0: not in the graph, file float32 [4, 4]"]
