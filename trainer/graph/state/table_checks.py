"""Refusals of look-up tables that a graph cannot keep, or a checkpoint cannot hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.random_ops import line_of
from trainer.graph.state.run_savers import saveables_of
from trainer.graphdef.op_types import ANONYMOUS_TABLE_OP, TABLE_FILE_OP, TABLE_OP

v1 = tf.compat.v1


def check_tables(ops: Iterable[Any], graph: Any) -> None:
    """Refuses tables whose entries would be lost without a word.

    Args:
        ops: Ops of a model's constructor and of its first call.
        graph: Their graph.

    Raises:
        RequestError: There is such a table.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     _ = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0, name="seen", checkpoint=False)
        ...     check_tables(graph.get_operations(), graph)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: the look-up table 'seen' is made with checkpoint=False, ...
    """
    ops = list(ops)
    for op in ops:
        if TABLE_FILE_OP.search(op.type):
            _check_file(op)
    tables = [op for op in ops if TABLE_OP.search(op.type)]
    for op in tables:
        if ANONYMOUS_TABLE_OP.search(op.type):
            raise RequestError(
                f"the look-up table {op.name!r}{line_of(op.traceback)} is made with experimental_is_anonymous=True, so "
                "in a graph each call would get a new, empty one; leave that argument out"
            )
    mutable = [op for op in tables if op.type.startswith("Mutable")]
    saved = tables_in_checkpoints(graph) if mutable else {}
    for op in mutable:
        if op.name not in saved:
            raise RequestError(
                f"the look-up table {op.name!r} is made with checkpoint=False, so no checkpoint holds its "
                "entries and no resume has them; leave that argument out"
            )


def _check_file(op: Any) -> None:
    path = tf.get_static_value(op.inputs[1])
    if path is not None and not tf.io.gfile.exists(path.item()):
        raise RequestError(
            f"the vocabulary file {path.item().decode()!r} of the look-up table {op.inputs[0].op.name!r} is not there; "
            f"a relative path begins at {Path.cwd()}"
        )


def tables_in_checkpoints(graph: Any) -> dict[str, tuple[str, ...]]:
    """Returns the names, in a checkpoint, of the keys and values of each mutable table that is saved.

    Args:
        graph: Graph with the tables, whose names are the keys of the result.
    """
    found = {}
    for saveable in saveables_of(graph):
        sources = [spec.tensor.op for spec in saveable.specs]
        if len(sources) == 2 and all(op.type.startswith("LookupTableExport") for op in sources):
            found[sources[0].inputs[0].op.name] = tuple(spec.name for spec in saveable.specs)
    return found
