"""Frozen graphs and SavedModels of stored checkpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import run
from tests.readers import X, line, run_frozen
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import CheckpointError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.graphdef.graph_file import read_graph
from trainer.runs.lock import RunLock

v1 = tf.compat.v1


def test_the_best_afterwards_is_what_the_callbacks_took(tool, copy) -> None:
    assert tool("freeze", f"{copy}@best")[0] == 0
    assert tool("export", f"{copy}@best", "-o", copy / "again")[0] == 0
    frozen = copy / "export/frozen"
    then, now = (json.loads((frozen / f"{name}.json").read_text()) for name in ("best", "model-1"))
    assert then["checkpoint"] == now["checkpoint"] == "checkpoints/model-1"
    assert (now["epoch"], now["global_step"], now["run"].split("/")[-1]) == (1, 5, "run")
    np.testing.assert_array_equal(run_frozen(frozen / "best.pb"), run_frozen(frozen / "model-1.pb"))
    manifests = [path / "1/assets.extra/manifest.json" for path in (copy / "export/saved_model", copy / "again")]
    assert {json.loads(path.read_text())["checkpoint"] for path in manifests} == {"checkpoints/model-1"}
    exports = json.loads((copy / "run.json").read_text())["exports"]
    assert exports == ["export/frozen/best.pb", "export/saved_model/1", "export/frozen/model-1.pb", "again/1"]


def test_the_loss_can_be_frozen_with_the_labels(copy) -> None:
    file = freeze_checkpoint(resolve_checkpoint(copy), copy / "loss.pb", ["loss"])
    assert sorted(json.loads((copy / "loss.json").read_text())["inputs"]) == ["x", "y"]
    assert [node.name for node in read_graph(file).node if node.op == "Placeholder"] == ["x", "y"]


def test_an_export_of_a_run_that_is_going_on_leaves_its_run_json_alone(tool, copy, caplog) -> None:
    before = (copy / "run.json").read_bytes()
    with RunLock(copy / "run.lock"):
        assert tool("freeze", copy)[0] == 0
    assert (copy / "export/frozen/model-4.pb").is_file()
    assert (copy / "run.json").read_bytes() == before
    assert "this export is not in run.json" in caplog.text


def test_a_graph_of_reference_variables_is_frozen_and_exported(tool, plain, tmp_path) -> None:
    directory = Path(shutil.copytree(plain, tmp_path / "plain"))
    code, text = tool("freeze", directory)
    assert (code, "name them, perhaps op [--outputs NODE]" in text) == (2, True)
    code, text = tool("freeze", directory, "--outputs", "op")
    assert code == 0, text
    assert tool("export", f"{directory}@1", "--outputs", "op")[0] == 0
    expected = line(directory / "old.ckpt-2")
    file = directory / "export/frozen/old.ckpt-2.pb"
    np.testing.assert_allclose(run_frozen(file), expected, rtol=1e-5)
    assert json.loads(file.with_suffix(".json").read_text())["checkpoint"] == str(directory / "old.ckpt-2")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(directory / "export/saved_model/1"))
        np.testing.assert_allclose(session.run("op:0", {"x:0": X}), line(directory / "old.ckpt-1"), rtol=1e-5)


def test_a_damaged_checkpoint_is_not_exported(copy) -> None:
    file = copy / "checkpoints/model-4.data-00000-of-00001"
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="differs from what was written"):
        export_checkpoint(resolve_checkpoint(f"{copy}@4"), copy / "never")
    assert not (copy / "never").exists()


def test_a_checkpoint_of_some_variables_says_what_it_lacks(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint(var_list=["b"])}, epochs=1)
    with pytest.raises(CheckpointError, match="lacks values that the outputs"):
        freeze_checkpoint(resolve_checkpoint(tmp_path / "run"))
