"""What holds for every net of the zoo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import assert_same_bits, variables
from tests.zoo.nets import NETS
from tests.zoo.runs import (
    Specimen,
    descended,
    frozen_outputs,
    in_order_of_creation,
    keys_and_bytes,
    live_outputs,
    restored,
    saved_model_outputs,
)


@pytest.fixture(scope="module", params=NETS, ids=lambda net: net.__name__)
def specimen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return Specimen(request.param, tmp_path_factory.mktemp(request.param.__name__))


def test_straight_equals_killed_and_resumed(specimen: Specimen) -> None:
    assert_same_bits(specimen.straight / "model-3", specimen.resumed / "model-3")


def test_files_saved_in_the_background_are_those_saved_in_the_foreground(specimen: Specimen) -> None:
    assert keys_and_bytes(specimen.straight / "model-2") == keys_and_bytes(specimen.resumed / "model-2")


def test_auto_equals_off(specimen: Specimen) -> None:
    compiled, plain = variables(specimen.straight / "model-3"), variables(specimen.plain / "model-3")
    roundings = {"rtol": max(1e-3, specimen.net.tolerance), "atol": max(1e-4, specimen.net.tolerance / 10)}
    for name, value in plain.items():
        np.testing.assert_allclose(
            compiled[name].astype(np.float64), value.astype(np.float64), err_msg=name, **roundings
        )


def test_plain_tensorflow_restores(specimen: Specimen) -> None:
    prefix = specimen.straight / "model-3"
    stored = variables(prefix)
    with restored(prefix) as session:
        variables_of_graph = session.graph.get_collection("variables")
        kept = {each.op.name: each for each in variables_of_graph if each.op.name in stored}
        for name, value in session.run(kept).items():
            assert value.tobytes() == stored[name].tobytes()


def test_exports_are_the_live_net(specimen: Specimen) -> None:
    live = live_outputs(specimen.straight / "model-3", specimen.example())
    run = specimen.straight.parent
    for outputs in (
        frozen_outputs(run / "export/frozen/model.pb", list(live), specimen.example()),
        saved_model_outputs(newest(run / "export/saved_model"), specimen.example()),
    ):
        for name, value in live.items():
            np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-5)


def test_steps_equal_those_of_a_loop_by_hand(specimen: Specimen) -> None:
    if specimen.net.no_reference:
        pytest.skip(specimen.net.no_reference)
    end = 1 + specimen.net.reference_steps
    ours = in_order_of_creation(specimen.by_descent / f"model-{end}")
    by_hand = descended(specimen.net, specimen.by_descent / "model-1", range(1, end))
    for mine, theirs in zip(ours, by_hand, strict=True):
        scale = max(1.0, float(np.max(np.abs(theirs.astype(np.float64)), initial=0.0)))
        difference = np.max(np.abs(mine.astype(np.float64) - theirs.astype(np.float64)), initial=0.0)
        assert difference <= specimen.net.tolerance * scale


def newest(directory: Path) -> Path:
    return max(directory.iterdir(), key=lambda each: int(each.name))
