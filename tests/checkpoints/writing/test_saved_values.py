"""Names that a ``var_list`` selects."""

from __future__ import annotations

import pytest

from trainer.checkpoints.writing.saved_values import chosen_names

OWNERS = {
    "w": "w",
    "table": "table",
    "table/part_0": "table",
    "table/part_1": "table",
    "table/Adam": "table/Adam",
    "seen": "seen",
    "global_step": "global_step",
}


@pytest.mark.parametrize(
    ("var_list", "chosen"),
    [
        (["w"], {"w": "w"}),
        (["table"], {"table": "table"}),
        (["table/part_1"], {"table": "table"}),
        (["table/part_0:0"], {"table": "table"}),
        (["table/*"], {"table": "table", "table/Adam": "table/Adam"}),
        (["w", "seen"], {"w": "w", "seen": "seen"}),
        (["*"], {name: name for name in ("w", "table", "table/Adam", "seen")}),
        ([], {}),
        ({"rows": "table", "a b:0": "w:0"}, {"rows": "table", "a b:0": "w"}),
        ({"rows": "table/part_0"}, {"rows": "table"}),
        ({"seen": "seen"}, {"seen": "seen"}),
        ({"step": "global_step"}, {"step": "global_step"}),
    ],
    ids=str,
)
def test_names_patterns_and_parts(var_list, chosen) -> None:
    found = chosen_names(var_list, OWNERS, {"seen"}, "global_step")
    expected = chosen if "global_step" in chosen.values() else {**chosen, "global_step": "global_step"}
    assert found == expected


@pytest.mark.parametrize(
    ("var_list", "message"),
    [
        (["wv"], "'wv' matches no variable; did you mean w"),
        ({"a": "tabel"}, "there is no variable 'tabel'; did you mean table"),
        ({"words": "seen"}, "'seen' is no variable, so its name in the file cannot be 'words'"),
    ],
    ids=str,
)
def test_what_cannot_be_chosen_is_named(var_list, message) -> None:
    with pytest.raises(ValueError, match=message):
        chosen_names(var_list, OWNERS, {"seen"}, "global_step")
