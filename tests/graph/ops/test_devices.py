"""Devices that a model names and this machine lacks."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, run
from trainer.errors import TrainerError
from trainer.graphdef.graph_file import read_graph

DEVICES = ["/device:GPU:1", "/job:worker/task:1", "/job:ps/replica:0/task:3/cpu:0", "/cpu:3"]


def pinned(device: str) -> type[Line]:
    class Pinned(Line):
        def __init__(self) -> None:
            with tf.device(device):
                super().__init__()

        def __call__(self, inputs: Any, training: bool) -> Any:
            with tf.device(device):
                return super().__call__(inputs, training)

    return Pinned


@pytest.fixture
def placement():
    """Sets soft placement as the trainer's command line does; the default of TensorFlow comes back."""
    yield tf.config.set_soft_device_placement
    tf.config.set_soft_device_placement(True)


@pytest.mark.parametrize("device", DEVICES)
def test_an_op_on_a_missing_device_runs_on_another(tmp_path, placement, device) -> None:
    placement(True)
    compiled = "xla" if device == DEVICES[0] else "off"
    exports = {"f": Freeze(), "s": SavedModel()}
    run(tmp_path / "run", exports, make_model=pinned(device), epochs=1, compile=compiled)
    nodes = read_graph(tmp_path / "run/export/frozen/model.pb").node
    assert {node.device for node in nodes} == {""}


@pytest.mark.parametrize("device", DEVICES)
def test_without_soft_placement_it_is_a_short_error_and_nothing_is_made(tmp_path, placement, device) -> None:
    placement(False)
    with pytest.raises(TrainerError) as refused:
        run(tmp_path / "run", {}, make_model=pinned(device), epochs=1)
    told = str(refused.value).lower()
    for words in ("the op w/", device.partition("cpu")[0].lower(), "there are: cpu:0", "session.soft_placement=true"):
        assert words in told
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
