"""Which variables a warm start takes from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.restoring.transfer_plan import Transfer, plan_transfer
from trainer.errors import RequestError
from trainer.warm_start import WarmStart

F32 = Tensor("float32", (2, 1))
BODY_AND_HEAD = {"body/w": F32, "body/b": F32, "head/w": F32}
OLD = {"old/w": F32, "old/b": F32, "old/w/Adam": F32, "global_step": Tensor("int64", ())}


def plan(stored: dict[str, Tensor], declared: dict[str, Tensor], **wanted: Any) -> Transfer:
    return plan_transfer(WarmStart(Path("ckpt"), **wanted), Path("ckpt-1"), stored, declared)


@pytest.mark.parametrize(
    ("stored", "wanted", "loaded"),
    [
        (BODY_AND_HEAD, {}, {name: name for name in BODY_AND_HEAD}),
        ({**BODY_AND_HEAD, "more": F32}, {"exclude": ["head/*"]}, {"body/w": "body/w", "body/b": "body/b"}),
        (BODY_AND_HEAD, {"variables": ["body/w"]}, {"body/w": "body/w"}),
        (BODY_AND_HEAD, {"variables": ["*/w"]}, {"body/w": "body/w", "head/w": "head/w"}),
        ({"body/w": F32}, {"variables": ["body/*"]}, {"body/w": "body/w"}),
        (OLD, {"variables": {"old/w": "head/w"}}, {"head/w": "old/w"}),
        (OLD, {"variables": {"old/w:0": "body/w:0", "old/b": "body/b"}}, {"body/w": "old/w", "body/b": "old/b"}),
        (OLD, {"variables": {"old/*": "body/*"}}, {"body/w": "old/w", "body/b": "old/b"}),
        ({"w": F32, "b": F32}, {"variables": {"*": "body/*"}}, {"body/w": "w", "body/b": "b"}),
    ],
)
def test_what_is_taken(stored, wanted, loaded) -> None:
    transfer = plan(stored, BODY_AND_HEAD, **wanted)
    assert transfer.loaded == loaded
    assert set(transfer.initialised) == set(BODY_AND_HEAD) - set(loaded)
    assert set(transfer.left_out) == set(stored) - set(loaded.values())


@pytest.mark.parametrize(
    ("stored", "wanted", "message"),
    [
        (
            OLD,
            {},
            "has no variable of the model\n  the model has: body/b, body/w, head/w\n  the file has:  global_step",
        ),
        (BODY_AND_HEAD, {"variables": ["bodi/*"]}, "'bodi/*' matches no variable; did you mean body/*?"),
        (BODY_AND_HEAD, {"variables": ["body/ww"]}, "did you mean body/w"),
        (
            BODY_AND_HEAD,
            {"exclude": ["haed/*"]},
            "exclude: 'haed/*' matches no variable; did you mean head/*",
        ),
        ({"body/w": F32}, {"variables": ["body/w", "body/b"]}, "body/b: not in the file; did you mean body/w?"),
        (OLD, {"variables": {"old/ww": "body/w"}}, "'old/ww' matches no name in the file; did you mean old/w"),
        (OLD, {"variables": {"old/w": "old/w"}}, "'old/w' matches no variable; did you mean"),
        (OLD, {"variables": {"old/*": "body/*/*"}}, "must have one * each"),
        (OLD, {"variables": {"global*": "body/*"}}, "nothing fits 'body/*'"),
        (
            {**BODY_AND_HEAD, "head/w": Tensor("float32", (5, 1)), "body/b": Tensor("float64", (2, 1))},
            {},
            "body/b: graph float32 [2, 1], file float64 [2, 1]\n  head/w: graph float32 [2, 1], file float32 [5, 1]\n"
            "leave out variables that start fresh with warm_start.exclude=['body/*']",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_all_differences(stored, wanted, message) -> None:
    with pytest.raises(RequestError) as refused:
        plan(stored, dict(sorted(BODY_AND_HEAD.items())), **wanted)
    assert message in str(refused.value)
