"""average, freeze, export: read back with plain TensorFlow, in processes of their own or with its own readers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import Line, points, run, variables
from tests.processes import python
from trainer.checkpoints.analysis.average import average
from trainer.checkpoints.analysis.compare import compare
from trainer.checkpoints.analysis.inspect import problems_of
from trainer.checkpoints.catalog import find_checkpoint
from trainer.checkpoints.record import read_record
from trainer.cli.assemble import parts_of
from trainer.data.streamed import Streamed
from trainer.errors import CheckpointError, ReadBackError, RequestError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.graphdef.frozen_file import read_frozen
from trainer.runs.lock import RunLock

v1 = tf.compat.v1

X = np.float32([[1.0, 2.0], [0.0, -3.0]])

PLAIN_READERS = """
import json, sys
import tensorflow as tf
v1 = tf.compat.v1
assert not any(name.split(".")[0] in ("trainer", "callbacks") for name in sys.modules)
frozen, saved_model, averaged = sys.argv[1:]
X = [[1.0, 2.0], [0.0, -3.0]]
answer = {}
with tf.Graph().as_default() as graph, v1.Session() as session:
    graph_def = v1.GraphDef.FromString(open(frozen, "rb").read())
    tf.import_graph_def(graph_def, name="")
    answer["frozen"] = session.run("op:0", {"x:0": X}).tolist()
    answer["ops"] = sorted({node.op for node in graph_def.node})
with tf.Graph().as_default(), v1.Session() as session:
    loaded = v1.saved_model.load(session, ["serve", "gpu"], saved_model)
    signature = loaded.signature_def["serving_default"]
    answer["saved_model"] = session.run(signature.outputs["op"].name, {signature.inputs["x"].name: X}).tolist()
with tf.Graph().as_default(), v1.Session() as session:
    v1.train.import_meta_graph(averaged + ".meta").restore(session, averaged)
    answer["averaged"] = session.run("op:0", {"x:0": X}).tolist()
    answer["step"] = int(session.run(v1.train.get_global_step()))
    session.run("train_step", {"x:0": X, "y:0": [[0.0], [0.0]]})
print("ANSWER", json.dumps(answer))
"""


def line(prefix: Path) -> Any:
    """What the model gives for X, computed by hand from a checkpoint."""
    values = variables(prefix)
    return X @ values["w"] + values["b"]


def run_frozen(file: Path, output: str = "op:0", name: str = "x:0", value: Any = X) -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(file.read_bytes()), name="")
        return session.run(output, {name: value})


def test_plain_tensorflow_reads_what_was_made_afterwards(tool, copy, tmp_path) -> None:
    assert tool("freeze", f"{copy}@2", "-o", tmp_path / "two.pb")[0] == 0
    assert tool("export", f"{copy}@3", "--tags", "serve", "gpu", "-o", tmp_path / "served")[0] == 0
    assert tool("average", f"{copy}@2", f"{copy}@3", "--to", tmp_path / "mean/model")[0] == 0
    made = [str(tmp_path / name) for name in ("two.pb", "served/3", "mean/model")]
    done = python("-c", PLAIN_READERS, *made, cwd=tmp_path, ours=False, TF_CPP_MIN_LOG_LEVEL="3")
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.partition("ANSWER")[2])
    two, three = (line(copy / f"checkpoints/model-{number}") for number in (2, 3))
    np.testing.assert_allclose(answer["frozen"], two, rtol=1e-5)
    np.testing.assert_allclose(answer["saved_model"], three, rtol=1e-5)
    np.testing.assert_allclose(answer["averaged"], (two + three) / 2, rtol=1e-5)
    assert answer["step"] == 15
    assert set(answer["ops"]) <= {"Placeholder", "Const", "MatMul", "AddV2", "Identity"}


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


def test_the_meta_says_what_to_feed_and_fetch(trained) -> None:
    meta = v1.MetaGraphDef.FromString((trained / "checkpoints/model-4.meta").read_bytes())
    serving, evaluation = meta.signature_def["serving_default"], meta.signature_def["eval"]
    assert {name: info.name for name, info in serving.inputs.items()} == {"x": "x:0"}
    assert {name: info.name for name, info in serving.outputs.items()} == {"op": "op:0"}
    assert (sorted(evaluation.inputs), sorted(evaluation.outputs)) == (["x", "y"], ["loss"])


def test_the_loss_can_be_frozen_with_the_labels(copy) -> None:
    file = freeze_checkpoint(find_checkpoint(copy), copy / "loss.pb", ["loss"])
    assert sorted(json.loads((copy / "loss.json").read_text())["inputs"]) == ["x", "y"]
    assert [node.name for node in read_frozen(file).node if node.op == "Placeholder"] == ["x", "y"]


def test_an_export_of_a_run_that_is_going_on_leaves_its_run_json_alone(tool, copy, caplog) -> None:
    before = (copy / "run.json").read_bytes()
    with RunLock(copy / "run.lock"):
        assert tool("freeze", copy)[0] == 0
    assert (copy / "export/frozen/model-4.pb").is_file()
    assert (copy / "run.json").read_bytes() == before
    assert "run.json does not name this export" in caplog.text


def test_without_the_meta_the_graph_comes_from_the_config(tool, copy) -> None:
    assert tool("freeze", f"{copy}@2", "-o", copy / "meta.pb")[0] == 0
    assert tool("freeze", f"{copy}@2", "-o", copy / "config.pb", "--from-config")[0] == 0
    (copy / "checkpoints/model-2.meta").unlink()
    record = json.loads((copy / "checkpoints/model-2.json").read_text())
    assert "model-2.meta" in record["files"]
    (copy / "checkpoints/model-2.json").unlink()
    assert tool("freeze", f"{copy}@2", "-o", copy / "alone.pb")[0] == 0
    for name in ("config", "alone"):
        np.testing.assert_array_equal(run_frozen(copy / f"{name}.pb"), run_frozen(copy / "meta.pb"))
    (copy / "config.yaml").unlink()
    code, text = tool("freeze", f"{copy}@2", "-o", copy / "never.pb")
    assert (code, "has no config.yaml" in text) == (2, True)


def test_a_model_that_has_changed_since_is_refused(copy) -> None:
    class Wider(Line):
        def __init__(self) -> None:
            super().__init__()
            self.w = v1.get_variable("w2", [2, 1])

    _, data = parts_of(copy)
    with pytest.raises(RequestError, match=r"w2: graph float32 \[2, 1\], not in the file"):
        freeze_checkpoint(find_checkpoint(copy), parts=lambda: (Wider, data))


def test_a_graph_of_reference_variables_is_frozen_and_exported(tool, plain, tmp_path) -> None:
    directory = Path(shutil.copytree(plain, tmp_path / "plain"))
    code, text = tool("freeze", directory)
    assert (code, "name them (--outputs), perhaps loss or op" in text) == (2, True)
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


def test_a_batch_of_ones_own_checks_the_file(tool, copy, tmp_path) -> None:
    np.save(tmp_path / "x.npy", X)
    arguments = ["freeze", copy, "-o", tmp_path / "m.pb", "--input"]
    assert tool(*arguments, f"x={tmp_path / 'x.npy'}")[0] == 0
    code, text = tool(*arguments, f"z={tmp_path / 'x.npy'}")
    assert (code, "do not need 'z'; inputs: x" in text) == (2, True)
    np.save(tmp_path / "x.npy", np.ones([3, 5], np.float32))
    code, text = tool(*arguments, f"x={tmp_path / 'x.npy'}")
    assert (code, "give a batch that the model takes" in text) == (2, True)


def test_a_frozen_file_that_gives_something_else_is_not_put_in_place(copy, monkeypatch) -> None:
    from trainer.export import frozen

    convert = frozen.v1.graph_util.convert_variables_to_constants

    def off_by_one(*arguments: Any) -> Any:
        result = convert(*arguments)
        for node in result.node:
            if node.name == "b":
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([99.0]))
        return result

    monkeypatch.setattr(frozen.v1.graph_util, "convert_variables_to_constants", off_by_one)
    with pytest.raises(ReadBackError, match="op differs by up to"):
        freeze_checkpoint(find_checkpoint(copy), copy / "wrong.pb")
    assert not list(copy.glob("wrong*"))


def test_a_damaged_checkpoint_is_not_exported(copy) -> None:
    file = copy / "checkpoints/model-4.data-00000-of-00001"
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="differs from what was written"):
        export_checkpoint(find_checkpoint(f"{copy}@4"), copy / "never")
    assert not (copy / "never").exists()


def test_a_checkpoint_of_some_variables_says_what_it_lacks(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint(var_list=["b"])}, epochs=1)
    with pytest.raises(CheckpointError, match="does not hold all that"):
        freeze_checkpoint(find_checkpoint(tmp_path / "run"))


def test_an_average_is_the_mean_of_the_weights_and_the_last_of_all_else(copy, tmp_path) -> None:
    made = average([find_checkpoint(f"{copy}@{number}") for number in (1, 2, 4)], tmp_path / "mean" / "model")
    values = [variables(copy / f"checkpoints/model-{number}") for number in (1, 2, 4)]
    mean = variables(made.prefix)
    assert mean.keys() == values[0].keys()
    for name in mean:
        expected = np.mean([each[name] for each in values], axis=0) if name in ("w", "b") else values[-1][name]
        np.testing.assert_allclose(mean[name], expected, rtol=1e-6)
        assert mean[name].dtype == values[0][name].dtype
    assert mean["global_step"] == 20
    assert problems_of(find_checkpoint(tmp_path / "mean")) == []
    record = read_record(tmp_path / "mean/model.json")
    assert (record.name, record.global_step, record.complete, dict(record.metrics)) == ("model", 20, True, {})
    assert tf.train.latest_checkpoint(str(tmp_path / "mean")) == str(tmp_path / "mean/model")
    assert sorted(path.name for path in (tmp_path / "mean").iterdir()) == [
        "checkpoint",
        "model.data-00000-of-00001",
        "model.index",
        "model.json",
        "model.meta",
    ]


def test_an_average_beside_the_checkpoints_of_a_run_is_none_of_them(copy) -> None:
    average([find_checkpoint(f"{copy}@1"), find_checkpoint(f"{copy}@2")], copy / "checkpoints/mean")
    assert find_checkpoint(copy).name == "model-4"
    assert find_checkpoint(f"{copy}@mean").record is not None
    run(copy, {"c": Checkpoint(max_to_keep=1)}, epochs=5)
    assert sorted(path.stem for path in (copy / "checkpoints").glob("*.index")) == ["mean", "model-5"]


def test_an_average_of_plain_files_has_no_record(tool, plain, tmp_path) -> None:
    code, text = tool("average", f"{plain}@1", f"{plain}@2", "--to", tmp_path / "mean/old.ckpt")
    assert (code, "without a commit record" in text) == (0, True)
    one, two, mean = (variables(p) for p in (plain / "old.ckpt-1", plain / "old.ckpt-2", tmp_path / "mean/old.ckpt"))
    np.testing.assert_allclose(mean["w"], (one["w"] + two["w"]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(mean["w/Adam"], two["w/Adam"])
    assert not (tmp_path / "mean/old.ckpt.json").exists()
    with tf.Graph().as_default(), v1.Session() as session:
        prefix = tf.train.latest_checkpoint(str(tmp_path / "mean"))
        v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        np.testing.assert_allclose(session.run("w:0"), mean["w"])


def examples() -> tf.data.Dataset:
    arrays = points()
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


def test_an_average_leaves_out_where_a_pipeline_stands(tmp_path) -> None:
    data = Streamed(examples, batch_size=8)
    run(tmp_path / "run", {"c": Checkpoint(max_to_keep=0)}, data=data, epochs=2)
    checkpoints = [find_checkpoint(f"{tmp_path / 'run'}@{number}") for number in (1, 2)]
    comparison = compare(*(each.prefix for each in checkpoints))
    (state,) = comparison.unread
    assert "Iterator" in state
    made = average(checkpoints, tmp_path / "mean/model")
    assert made.record is not None
    assert not made.record.complete
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{made.prefix}.meta").restore(session, str(made.prefix))
        assert session.run(v1.train.get_global_step()) == 10
        np.testing.assert_allclose(session.run("op:0", {"x:0": X}), line(made.prefix), rtol=1e-5)
    assert freeze_checkpoint(made, tmp_path / "mean.pb").is_file()


def test_checkpoints_of_other_variables_have_no_average(trained, plain, tmp_path) -> None:
    with pytest.raises(RequestError, match="does not hold the variables of"):
        average([find_checkpoint(trained), find_checkpoint(plain)], tmp_path / "mean" / "model")
    assert not (tmp_path / "mean").exists()


def test_what_is_no_number_is_not_averaged_in(tmp_path) -> None:
    for name, value in (("a", 1.0), ("b", np.nan)):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / name), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant([value])]
        )
    with pytest.raises(CheckpointError, match="w holds a nan"):
        average([find_checkpoint(tmp_path / "a"), find_checkpoint(tmp_path / "b")], tmp_path / "mean")


def test_a_full_disk_leaves_nothing_of_an_average(copy, tmp_path, monkeypatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("trainer.checkpoints.analysis.average.read_every_tensor", full)
    with pytest.raises(OSError, match="No space"):
        average([find_checkpoint(f"{copy}@1"), find_checkpoint(f"{copy}@2")], copy / "checkpoints/mean")
    assert not list((copy / "checkpoints").glob("*mean*"))
    assert not list((copy / "checkpoints").glob(".*"))
