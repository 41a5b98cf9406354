"""Averages of checkpoints, read back with plain TensorFlow."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.faults import Faults
from tests.helpers import dataset, run, variables
from tests.readers import X, line
from trainer.checkpoints.analysis.average import average
from trainer.checkpoints.analysis.compare import compare
from trainer.checkpoints.analysis.inspect import problems_of
from trainer.checkpoints.record import read_record
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.data.streamed import Streamed
from trainer.errors import CheckpointError, RequestError
from trainer.export.from_checkpoint import freeze_checkpoint
from trainer.files import temporary_beside

v1 = tf.compat.v1


def test_an_average_is_the_mean_of_the_weights_and_the_last_of_all_else(copy, tmp_path) -> None:
    made = average([resolve_checkpoint(f"{copy}@{number}") for number in (1, 2, 4)], tmp_path / "mean" / "model")
    values = [variables(copy / f"checkpoints/model-{number}") for number in (1, 2, 4)]
    mean = variables(made.prefix)
    assert mean.keys() == values[0].keys()
    for name in mean:
        expected = np.mean([each[name] for each in values], axis=0) if name in ("w", "b") else values[-1][name]
        np.testing.assert_allclose(mean[name], expected, rtol=1e-6)
        assert mean[name].dtype == values[0][name].dtype
    assert mean["global_step"] == 20
    assert problems_of(resolve_checkpoint(tmp_path / "mean")) == []
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
    average([resolve_checkpoint(f"{copy}@1"), resolve_checkpoint(f"{copy}@2")], copy / "checkpoints/mean")
    assert resolve_checkpoint(copy).name == "model-4"
    assert resolve_checkpoint(f"{copy}@mean").record is not None
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


def test_an_average_leaves_out_where_a_pipeline_stands(tmp_path) -> None:
    data = Streamed(dataset, batch_size=8)
    run(tmp_path / "run", {"c": Checkpoint(max_to_keep=0)}, data=data, epochs=2)
    checkpoints = [resolve_checkpoint(f"{tmp_path / 'run'}@{number}") for number in (1, 2)]
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
        average([resolve_checkpoint(trained), resolve_checkpoint(plain)], tmp_path / "mean" / "model")
    assert not (tmp_path / "mean").exists()


def test_what_is_no_number_is_not_averaged_in(tmp_path) -> None:
    for name, value in (("a", 1.0), ("b", np.nan)):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / name), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant([value])]
        )
    with pytest.raises(CheckpointError, match="w is not finite"):
        average([resolve_checkpoint(tmp_path / "a"), resolve_checkpoint(tmp_path / "b")], tmp_path / "mean")


def test_a_full_disk_leaves_nothing_of_an_average(copy) -> None:
    """Each operation on the unfinished files fails in turn, until they are whole and are put in place."""
    target, failed = copy / "checkpoints/mean", []
    while not any(name.startswith("os.rename") for name in failed):
        with (
            Faults(temporary_beside(target), len(failed) + 1, errno.ENOSPC) as faults,
            pytest.raises(OSError, match="No space"),
        ):
            average([resolve_checkpoint(f"{copy}@1"), resolve_checkpoint(f"{copy}@2")], target)
        failed.append(faults.failed)
        assert not list((copy / "checkpoints").glob("*mean*"))
        assert not list((copy / "checkpoints").glob(".*"))
    assert "Saver.save after mean" in failed
