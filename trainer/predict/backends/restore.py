"""Restoring of variables from a checkpoint by the names that the graph's Saver uses.

Only variables that the outputs need are read, so optimizer slots are not. The graph's own restore ops
do not run: an external graph could contain any op there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.contents import Entry, Tensor, unmet
from trainer.checkpoints.reading.reader import stored_tensors
from trainer.checkpoints.saver_in_meta import restored_tensors
from trainer.errors import RequestError
from trainer.graphdef.op_types import RESOURCE_VARIABLE

v1 = tf.compat.v1

Stored = tuple[str, str]
"""Name of a tensor in a file, and its slice; '' for the whole tensor."""


def stored_names(meta_graph: Any) -> dict[str, Stored]:
    """Returns the stored tensor that the Saver of a meta graph restores each variable from; {} if it has no Saver."""
    restored = (each for each in restored_tensors(meta_graph) if each.variable)
    return {each.variable: (each.entry.key, each.entry.slice_spec) for each in restored}


def restore(session: Any, variables: Mapping[str, Any], saver_names: Mapping[str, Stored], prefix: Path) -> None:
    """Restores variables in a session whose graph is the default one.

    Args:
        session: Session of the graph.
        variables: Variable nodes by name.
        saver_names: Stored tensor of each variable; a missing variable has the same name in the file.
        prefix: Prefix of the checkpoint's files.

    Raises:
        RequestError: The file does not match the variables; the message lists up to 30 differences, and
            nothing was restored.
        CheckpointError: The file cannot be read.
    """
    if not variables:
        return
    names = {variable: saver_names.get(variable, (variable, "")) for variable in variables}
    _check_fits(variables, names, prefix)
    dtypes = [variables[name].attr["dtype"].type for name in names]
    texts = [list(text) for text in zip(*names.values(), strict=True)]
    values = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=texts[0], shape_and_slices=texts[1], dtypes=dtypes)
    session.run([_assignment(variables[name], value) for name, value in zip(names, values, strict=True)])


def restore_tables(
    session: Any, tables: Mapping[str, Any], saved_as: Mapping[str, tuple[str, ...]], prefix: Path
) -> None:
    """Fills look-up tables with the entries that a checkpoint holds, in a session whose graph is the default one.

    Args:
        session: Session of the graph.
        tables: Table nodes by name; those that the checkpoint does not hold are left as they are.
        saved_as: Names of keys and values in the file, by the name of the table.
        prefix: Prefix of the checkpoint's files.

    Raises:
        RequestError: The file has no such table.
    """
    reader = tf.train.load_checkpoint(str(prefix))
    for name, node in tables.items():
        if name not in saved_as:
            continue
        if missing := [key for key in saved_as[name] if not reader.has_tensor(key)]:
            raise RequestError(f"{prefix} does not match the graph of its .meta; it has no {missing[0]!r}")
        handle = v1.get_default_graph().get_tensor_by_name(f"{name}:0")
        fill = tf.raw_ops.LookupTableImportV2 if handle.dtype == tf.resource else tf.raw_ops.LookupTableImport
        fed = [v1.placeholder(node.attr[kind].type, name="table_entries") for kind in ("key_dtype", "value_dtype")]
        run = fill(table_handle=handle, keys=fed[0], values=fed[1])
        session.run(run, dict(zip(fed, map(reader.get_tensor, saved_as[name]), strict=True)))


def _check_fits(variables: Mapping[str, Any], names: Mapping[str, Stored], prefix: Path) -> None:
    stored, declared = stored_tensors(prefix), {}
    for variable, (key, part) in names.items():
        shape = tf.TensorShape(variables[variable].attr["shape"].shape)
        dtype = tf.as_dtype(variables[variable].attr["dtype"].type).name
        known = None if shape.rank is None else tuple(shape.as_list())
        declared[key] = Entry(key, part, Tensor(dtype, known)).whole
    if found := unmet(stored, declared):
        shown = "\n  ".join(found[:30])
        raise RequestError(f"{prefix} does not match the graph of its .meta; nothing was restored:\n  {shown}")


def _assignment(variable: Any, value: Any) -> Any:
    tensor = v1.get_default_graph().get_tensor_by_name(f"{variable.name}:0")
    if variable.op == RESOURCE_VARIABLE:
        return tf.raw_ops.AssignVariableOp(resource=tensor, value=value)
    return v1.assign(tensor, value, validate_shape=False).op
