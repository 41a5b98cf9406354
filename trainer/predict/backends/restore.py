"""Values of variables from a checkpoint, under the names that the Saver of the graph gave them.

Only what the outputs need is read, and none of the graph's own restoring ops runs: optimizer slots
stay on the disk, and so does whatever else the ops of a stranger's graph might do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.reader import Tensor, stored_tensors
from trainer.checkpoints.restoring.compatibility import differences
from trainer.errors import RequestError
from trainer.graphdef.op_types import RESOURCE_VARIABLE
from trainer.graphdef.traverse import node_of, reads_of, upstream

v1 = tf.compat.v1

Stored = tuple[str, str]
"""The name of a tensor in a file, and the slice of it; '' for the whole."""


def stored_names(meta_graph: Any) -> dict[str, Stored]:
    """Returns what the Saver of a meta graph restores each variable from.

    A Saver's graph has, for each variable, an op that assigns one output of a restoring op, whose
    second input lists the names in the file and whose third lists the slices
    (tensorflow/python/training/saver.py, ``_AddRestoreOps``).

    Args:
        meta_graph: a MetaGraphDef; where it has no Saver the result is empty.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    found = {}
    for name in upstream(reads_of(meta_graph.graph_def), [meta_graph.saver_def.restore_op_name]):
        node = nodes[name]
        if node.op in ("Assign", "AssignVariableOp"):
            stored = _restored_from(nodes, node.input[1])
            if stored is not None:
                found[node_of(node.input[0])] = stored
    return found


def _restored_from(nodes: Mapping[str, Any], tensor: str) -> Stored | None:
    node = nodes[node_of(tensor)]
    while node.op not in ("RestoreV2", "RestoreSlice", "Restore"):
        if not node.input:
            return None
        tensor = node.input[0]
        node = nodes[node_of(tensor)]
    port = int(tensor.partition(":")[2] or 0)
    texts = [_texts(nodes[node_of(source)]) for source in node.input[1:3]]
    return texts[0][port], texts[1][port] if len(texts) > 1 else ""


def _texts(node: Any) -> list[str]:
    return [text.decode() for text in tf.make_ndarray(node.attr["value"].tensor).reshape(-1)]


def restore(session: Any, variables: Mapping[str, Any], saver_names: Mapping[str, Stored], prefix: Path) -> None:
    """Gives variables their values in the session, whose graph is the default one.

    Args:
        session: of the graph.
        variables: their nodes, by name.
        saver_names: what a Saver restores them from; one that it does not know has its own name in the file.
        prefix: of the checkpoint.

    Raises:
        RequestError: the file does not fit; the message lists all differences, and nothing was restored.
        CheckpointError: it cannot be read.
    """
    if not variables:
        return
    names = {variable: saver_names.get(variable, (variable, "")) for variable in variables}
    _check_fits(variables, names, prefix)
    dtypes = [variables[name].attr["dtype"].type for name in names]
    texts = [list(text) for text in zip(*names.values(), strict=True)]
    values = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=texts[0], shape_and_slices=texts[1], dtypes=dtypes)
    session.run([_assignment(variables[name], value) for name, value in zip(names, values, strict=True)])


def _check_fits(variables: Mapping[str, Any], names: Mapping[str, Stored], prefix: Path) -> None:
    stored = stored_tensors(prefix)
    declared = {}
    for variable, (name, part) in names.items():
        shape = tf.TensorShape(variables[variable].attr["shape"].shape)
        # Of a part of a variable, or one whose shape is open, the file decides.
        known = shape.is_fully_defined() and not part
        dtype = tf.as_dtype(variables[variable].attr["dtype"].type).name
        declared[name] = Tensor(dtype, tuple(shape.as_list())) if known else stored.get(name, Tensor(dtype, ()))
    found = differences({name: stored[name] for name in declared if name in stored}, declared)
    if found:
        shown = "\n  ".join(found[:30])
        raise RequestError(f"{prefix} does not fit the graph of its .meta; nothing was restored:\n  {shown}")


def _assignment(variable: Any, value: Any) -> Any:
    tensor = v1.get_default_graph().get_tensor_by_name(f"{variable.name}:0")
    if variable.op == RESOURCE_VARIABLE:
        return tf.raw_ops.AssignVariableOp(resource=tensor, value=value)
    return v1.assign(tensor, value, validate_shape=False).op
