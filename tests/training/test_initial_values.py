"""Variables of another run's checkpoint as the start of a new run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import Two, assert_same_bits, run, variables
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import CheckpointError, RequestError
from trainer.warm_start import WarmStart

v1 = tf.compat.v1


class Wider(Two):
    head = 3


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("earlier") / "run"
    run(directory, make_model=Two, epochs=2)
    return directory


def facts(directory: Path) -> Any:
    return json.loads((directory / "run.json").read_text())


def test_a_warm_start_trains_on_with_fresh_slots_and_never_again(earlier, tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    changes: dict[str, Any] = {"make_model": Wider, "trainable": ["head/*"]}
    run(tmp_path / "a", warm_start=WarmStart(earlier, exclude=["head/*"]), epochs=2, **changes)
    before, after = variables(earlier / "checkpoints/model-2"), variables(tmp_path / "a/checkpoints/model-2")
    body = [name for name in before if name.startswith("body/")]
    assert len(body) == 6
    # What is frozen is the same to the last bit, the averages of the normalisation too.
    assert all(np.array_equal(before[name], after[name]) for name in body)
    assert after["head/kernel"].shape == (4, 3)
    assert after["global_step"] == 10
    slots = [name for name in after if "momentum" in name or "velocity" in name]
    assert len(slots) == 4
    assert all("head" in name for name in slots)
    told = facts(tmp_path / "a")["warm_start"]
    assert told["checkpoint"] == str(earlier / "checkpoints/model-2")
    assert set(told["loaded"]) == set(body)
    assert told["initialised"] == ["head/bias", "head/kernel"]
    assert "6 variables loaded, 2 initialised (head/bias, head/kernel)" in caplog.text
    assert caplog.text.count("warm start: ") == 1
    # The file may be gone by then: a resume restores everything from the run's own checkpoints.
    run(tmp_path / "a", warm_start=WarmStart(tmp_path / "gone"), epochs=4, **changes)
    run(tmp_path / "b", warm_start=WarmStart(earlier, exclude=["head/*"]), epochs=4, **changes)
    assert_same_bits(tmp_path / "a/checkpoints/model-4", tmp_path / "b/checkpoints/model-4")
    assert facts(tmp_path / "a")["warm_start"] == told
    assert caplog.text.count("warm start: ") == 2


def test_it_begins_where_the_checkpoint_is(earlier, tmp_path) -> None:
    """With a rate of nothing the loss of the first step is that of the loaded variables."""
    still: dict[str, Any] = {"make_optimizer": lambda *_: keras.optimizers.SGD(0.0), "trainable": ["head/*"]}
    run(tmp_path / "run", make_model=Two, warm_start=WarmStart(earlier), epochs=1, **still)
    before, after = variables(earlier / "checkpoints/model-2"), variables(tmp_path / "run/checkpoints/model-1")
    assert all(np.array_equal(before[n], after[n]) for n in before if n.startswith(("body/", "head/")))


def test_the_graph_is_that_of_a_run_that_began_cold(earlier, tmp_path) -> None:
    def nodes(directory: Path) -> list[tuple[str, str]]:
        meta = v1.MetaGraphDef.FromString((directory / "checkpoints/model.meta").read_bytes())
        return [(node.name, node.op) for node in meta.graph_def.node]

    run(tmp_path / "run", make_model=Two, warm_start=WarmStart(earlier), epochs=1)
    assert nodes(tmp_path / "run") == nodes(earlier)


def test_a_checkpoint_that_does_not_fit_leaves_nothing(earlier, tmp_path) -> None:
    with pytest.raises(RequestError, match=r"head/kernel: graph float32 \[4, 3\], file float32 \[4, 1\]"):
        run(tmp_path / "run", make_model=Wider, warm_start=WarmStart(earlier))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_refused_before_anything_is_made(earlier, tmp_path) -> None:
    shutil.copytree(earlier / "checkpoints", tmp_path / "copy")
    data = tmp_path / "copy/model-2.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[content.index(variables(earlier / "checkpoints/model-2")["head/kernel"].tobytes())] ^= 1
    data.write_bytes(content)
    assert resolve_checkpoint(tmp_path / "copy").name == "model-1"
    with pytest.raises(CheckpointError, match="differs from what was written"):
        run(tmp_path / "run", make_model=Two, warm_start=WarmStart(tmp_path / "copy/model-2"))
    (tmp_path / "copy/model-2.json").unlink()
    with pytest.raises(CheckpointError, match="are not those that were written"):
        run(tmp_path / "run", make_model=Two, warm_start=WarmStart(tmp_path / "copy/model-2"))
    assert not (tmp_path / "run").exists()


def test_a_part_of_the_variables_serves_a_warm_start(tmp_path) -> None:
    run(tmp_path / "part", {"c": Checkpoint(var_list=["w"])}, epochs=1)
    run(tmp_path / "run", warm_start=WarmStart(tmp_path / "part"), epochs=1)
    assert facts(tmp_path / "run")["warm_start"]["initialised"] == ["b"]
