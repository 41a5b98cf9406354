"""Look-up tables of an inference part: their entries, read from a live graph and written into an export."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError, RequestError, describe
from trainer.graph.ops.exact_names import exactly
from trainer.graph.state.table_checks import tables_in_checkpoints
from trainer.graphdef.op_types import INITIALIZER, TABLE_FILE_OP, TABLE_INITIALIZER_OP, TABLE_OP

v1 = tf.compat.v1
log = logging.getLogger(__name__)

SCOPE = "table_entries"
"""Scope of the ops that read and hold entries."""

Entries = tuple[Array, Array]
"""Keys and values of a table, in the order of the keys."""


@dataclass(frozen=True)
class Table:
    """Look-up table of a live graph.

    Args:
        entries: Keys and values, tensors of the live graph; for a dense table also the keys of buckets without one.
        file_op: Name of the op that fills it from a vocabulary file of constant path; '' where there is none.
        saved_as: Names of keys and values in a checkpoint; () for a table that no checkpoint holds.
    """

    entries: tuple[Any, ...]
    file_op: str = ""
    saved_as: tuple[str, ...] = ()


def tables_in(graph: Any, names: Collection[str]) -> dict[str, Table]:
    """Returns the look-up tables among some ops of an open graph, by name; adds ops that read their entries.

    Args:
        graph: Live graph.
        names: Names of ops.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     words = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2])
        ...     table = tf.lookup.StaticHashTable(words, 0, name="words")
        ...     tables_in(graph, ["words"])["words"].file_op
        ''
    """
    tables = [op for op in graph.get_operations() if op.name in names and TABLE_OP.search(op.type)]
    if not tables:
        return {}
    fillers: dict[str, list[Any]] = {}
    for op in graph.get_operations():
        if TABLE_INITIALIZER_OP.search(op.type):
            fillers.setdefault(op.inputs[0].op.name, []).append(op)
    saved = tables_in_checkpoints(graph)
    return {op.name: Table(exported(op), _file_op(fillers.get(op.name, [])), saved.get(op.name, ())) for op in tables}


def exported(table: Any) -> tuple[Any, ...]:
    """Adds an op that reads a table to the table's graph; returns what ``in_order`` takes.

    Args:
        table: Op that makes the table.
    """
    handle, key, value = table.outputs[0], table.get_attr("key_dtype"), table.get_attr("value_dtype")
    export = tf.raw_ops.LookupTableExportV2 if handle.dtype == tf.resource else tf.raw_ops.LookupTableExport
    with table.graph.as_default(), tf.name_scope(SCOPE), tf.control_dependencies(None):
        read = export(table_handle=handle, Tkeys=key, Tvalues=value)
    # A dense table gives its buckets, and says by two keys which of them are empty.
    return (read.keys, read.values, *table.inputs[:2])


def _file_op(fillers: list[Any]) -> str:
    if len(fillers) == 1 and TABLE_FILE_OP.search(fillers[0].type) and fillers[0].inputs[1].op.type == "Const":
        return str(fillers[0].name)
    return ""


def in_order(keys: Any, values: Any, *unused: Any) -> Entries:
    """Returns entries in the order of their keys, as a table has none.

    Args:
        keys: Keys.
        values: Values.
        unused: Keys that stand for no entry.

    Example:
        >>> in_order([[3], [0], [1]], [[0.5], [0.0], [1.5]], np.int64(0))
        (array([1, 3]), array([[1.5],
               [0.5]]))
    """
    keys, values = np.asarray(keys), np.asarray(values)
    for each in map(np.asarray, unused):
        keys = keys.reshape([len(keys), *each.shape])
        used = np.any(np.reshape(keys != each, [len(keys), -1]), axis=1)
        keys, values = keys[used], values[used]
    if keys.ndim == 1:
        order = np.argsort(keys, kind="stable")
    else:
        order = np.asarray(sorted(range(len(keys)), key=lambda i: tuple(np.ravel(keys[i]))), int)
    return keys[order], values[order]


def fill(graph: Any, entries: Mapping[str, Entries], file_ops: Collection[str] = ()) -> Any:
    """Adds the op ``init_all_tables``, which fills tables with entries that the graph then holds.

    Args:
        graph: Graph with the tables.
        entries: Entries by the name of the table.
        file_ops: Names of ops that fill other tables.

    Returns:
        The op.
    """
    filled = [graph.get_operation_by_name(name) for name in file_ops]
    with graph.as_default():
        filled += [_filled(graph.get_operation_by_name(name), *each) for name, each in entries.items()]
        return exactly(INITIALIZER, "the op that fills the tables", lambda name: tf.group(*filled, name=name))


def _filled(table: Any, keys: Array, values: Array) -> Any:
    """Returns an op that adds entries, which the graph holds, to a table."""
    is_dense = "Dense" in table.type
    if is_dense:
        values = values.reshape([len(keys), *tf.TensorShape(table.get_attr("value_shape")).as_list()])
    # What a dense table imports are buckets.
    kind = "LookupTableInsert" if is_dense else "LookupTableImport"
    add = getattr(tf.raw_ops, kind + ("V2" if table.outputs[0].dtype == tf.resource else ""))
    with tf.name_scope(SCOPE):
        key_tensor = tf.constant(keys, table.get_attr("key_dtype"), keys.shape)
        value_tensor = tf.constant(values, table.get_attr("value_dtype"), values.shape)
        return add(table_handle=table.outputs[0], keys=key_tensor, values=value_tensor)


def tell_of_tables(tables: Mapping[str, Table]) -> None:
    """Tells in a line how a frozen graph with look-up tables is read."""
    if tables:
        names = ", ".join(tables)
        log.info("the .pb holds look-up tables (%s): run its op %s once before the outputs", names, INITIALIZER)


def words_in(tables: Mapping[str, Table], session: Any) -> list[Any]:
    """Returns strings that a model knows: the keys of the first table with strings as keys, else an empty one.

    Args:
        tables: Tables by name.
        session: Live session, its tables filled.
    """
    for table in tables.values():
        if table.entries[0].dtype == tf.string:
            keys, _ = in_order(*session.run(table.entries))
            if len(keys):
                return list(keys.ravel())
    return [b""]


def file_of(part: Any, table: Table) -> str:
    """Returns the path of the vocabulary file of a table.

    Args:
        part: GraphDef with the op that fills it.
        table: Table with such an op.
    """
    nodes = {node.name: node for node in part.node}
    path = nodes[nodes[table.file_op].input[1].partition(":")[0]].attr["value"].tensor
    return str(tf.make_ndarray(path).item().decode())


def read_file(graph_def: Any, name: str, table: Table) -> Entries:
    """Returns the entries that a vocabulary file gives to a table now.

    Args:
        graph_def: GraphDef with the table and the op that fills it.
        name: Name of the table.
        table: Table with a vocabulary file.

    Raises:
        RequestError: The file is gone, or no vocabulary.
    """
    with tf.Graph().as_default() as graph, v1.Session() as session:
        tf.import_graph_def(v1.graph_util.extract_sub_graph(graph_def, [table.file_op]), name="")
        try:
            session.run(table.file_op)
        except tf.errors.OpError as error:
            path = file_of(graph_def, table)
            raise RequestError(f"the vocabulary file {path} of {name!r} cannot be read: {describe(error)}") from error
        return in_order(*session.run(exported(graph.get_operation_by_name(name))))


def same_entries(first: Entries, second: Entries) -> bool:
    """Returns whether two tables have the same entries, values compared bit for bit.

    Example:
        >>> same_entries(in_order([2, 1], [0.5, 1.0]), in_order([1, 2], [1.0, 0.5]))
        True
    """

    def same(a: Array, b: Array) -> bool:
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()

    return all(same(a, b) for a, b in zip(first, second, strict=True))


def check_entries(what: str, session: Any, expected: Mapping[str, Entries]) -> None:
    """Compares the tables of an export that was read back with those that it was made from.

    Args:
        what: Path of the export.
        session: Session with the export, its tables filled.
        expected: Entries by the name of the table.

    Raises:
        ReadBackError: A table has other entries.
    """
    for name, entries in expected.items():
        read = in_order(*session.run(exported(session.graph.get_operation_by_name(name))))
        if not same_entries(read, entries):
            raise ReadBackError(
                f"{what} differs from the live session: the table {name!r} has {len(read[0])} entries, "
                f"and {len(entries[0])} there, or other ones"
            )
