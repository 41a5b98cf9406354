"""Savers of other people's graphs, read from their ``.meta``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.saved_kinds import own_pair
from trainer.checkpoints.analysis.inspect import note_on_graph, verify
from trainer.checkpoints.contents import Tensor, whole_tensors
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.saver_in_meta import restore_problems, restored_tensors

v1 = tf.compat.v1

F = "float32"


def parts(**options: Any) -> Any:
    partitioner = v1.fixed_size_partitioner(2)
    return v1.get_variable("t", [4, 3], initializer=v1.ones_initializer(), partitioner=partitioner, **options)


def named() -> Any:
    return v1.train.Saver({"rows": list(parts()), "b c:d": v1.get_variable("b", [2], tf.int32)})


def tables() -> Any:
    tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0, name="seen")
    return v1.train.Saver()


def pair() -> Any:
    v1.get_variable("w", [])
    own_pair()
    return v1.train.Saver()


def of_any_shape() -> Any:
    initial = v1.placeholder_with_default(tf.zeros([1, 2]), [None, 2])
    v1.get_variable("grows", initializer=initial, validate_shape=False, use_resource=True)
    return v1.train.Saver()


SAVERS: dict[str, tuple[Callable[[], Any], dict[str, Tensor]]] = {
    "parts": (lambda: parts() and v1.train.Saver(), {"t": Tensor(F, (4, 3))}),
    "reference parts": (lambda: parts(use_resource=False) and v1.train.Saver(), {"t": Tensor(F, (4, 3))}),
    "names": (named, {"rows": Tensor(F, (4, 3)), "b c:d": Tensor("int32", (2,))}),
    "reshaping": (lambda: parts() and v1.train.Saver(reshape=True), {"t": Tensor(F, (4, 3))}),
    "one by one": (lambda: parts() and v1.train.Saver(restore_sequentially=True), {"t": Tensor(F, (4, 3))}),
    "shards": (lambda: parts() and v1.train.Saver(sharded=True), {"t": Tensor(F, (4, 3))}),
    "tables": (tables, {"seen-keys": Tensor("string", None), "seen-values": Tensor("int64", None)}),
    "saveable of one's own": (
        pair,
        {"my pair/second": Tensor(F, None), "my pair:first": Tensor(F, None), "w": Tensor(F, ())},
    ),
    "any shape": (of_any_shape, {"grows": Tensor(F, (None, 2))}),
}


@pytest.mark.parametrize("kind", SAVERS)
def test_it_wants_what_it_restores(kind, tmp_path) -> None:
    make, wanted = SAVERS[kind]
    with tf.Graph().as_default(), v1.Session() as session:
        saver = make()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        prefix = saver.save(session, str(tmp_path / "model-1"))
        meta = saver.export_meta_graph()
    assert whole_tensors(each.entry for each in restored_tensors(meta)) == wanted
    assert verify(prefix) == []
    assert restore_problems(meta, {}) == [f"{key}: graph {wanted[key]}, not in the file" for key in sorted(wanted)]


def test_a_file_that_does_not_restore_into_its_graph_is_not_good(tmp_path) -> None:
    """Every byte is as it was written, but the keys are those of the parts."""
    with tf.Graph().as_default(), v1.Session() as session:
        halves = list(parts())
        session.run(v1.global_variables_initializer())
        meta = v1.train.Saver().export_meta_graph()
        names = [half.op.name for half in halves]
        for name in ("model-1", "model-2"):
            values = [half.value() for half in halves]
            session.run(
                tf.raw_ops.SaveV2(
                    prefix=str(tmp_path / name), tensor_names=names, shape_and_slices=["", ""], tensors=values
                )
            )
    (tmp_path / "model-1.meta").write_bytes(meta.SerializeToString())
    (problem,) = verify(tmp_path / "model-1")
    assert "model-1 cannot be restored into" in problem
    assert "t: graph float32 [4, 3], not in the file" in problem
    assert "t: graph float32 [4, 3], not in the file" in note_on_graph(resolve_checkpoint(tmp_path / "model-2"))


def test_without_a_saver_nothing_is_wanted() -> None:
    with tf.Graph().as_default():
        v1.get_variable("w", [])
        meta = v1.train.export_meta_graph()
    assert restored_tensors(meta) == []


def test_a_constant_that_declares_any_size_takes_no_memory() -> None:
    meta = v1.MetaGraphDef()
    for name in ("names", "slices"):
        node = meta.graph_def.node.add(name=name, op="Const")
        node.attr["value"].tensor.string_val.append(b"w")
        node.attr["value"].tensor.tensor_shape.dim.add(size=10**15)
    node = meta.graph_def.node.add(name="restore", op="RestoreV2", input=["file", "names", "slices"])
    node.attr["dtypes"].list.type.extend([1, 1])
    meta.saver_def.restore_op_name = "restore"
    assert [each.entry.key for each in restored_tensors(meta)] == ["w", "w"]
