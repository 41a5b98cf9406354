"""Graph and session of the inference part alone, with separate variables."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError, RequestError
from trainer.export.own_variables import like
from trainer.export.subgraph import InferenceSubgraph
from trainer.export.tables import Entries, Table, file_of, fill, in_order, read_file, same_entries
from trainer.graph.compiling.session_config import session_as_is
from trainer.graph.ops.exact_names import named, placeholder
from trainer.graph.ops.variables import key_of, load_values, own_part
from trainer.graphdef.averages import AverageName

v1 = tf.compat.v1
log = logging.getLogger(__name__)

ReadValues = Callable[[], Mapping[str, Any]]
"""Function that returns the values of variables by name."""

RTOL, ATOL = 1e-4, 1e-5
"""Tolerances of a frozen graph's outputs: constant folding changes the order of roundings."""

COARSE = {"bfloat16": 2.0**-8, "float16": 2.0**-10}
"""Distance of 1 to the next number, for dtypes with roundings above the tolerances."""


class ServingSession:
    """Session of the inference part, for a ``with`` block, in which its graph is the default one.

    Args:
        part: Inference part.
        read_values: Function that returns the values of its variables and the entries of its tables by name, from a
            live session or a checkpoint.
        keep_files: Whether tables with a vocabulary file are filled from it, and not from entries in the graph.
    """

    def __init__(self, part: InferenceSubgraph, read_values: ReadValues, *, keep_files: bool = False) -> None:
        self._part = part
        self._read_values = read_values
        self._keep_files = keep_files
        self.graph = tf.Graph()
        self.tables: dict[str, Entries] = {}
        """Entries of the tables by name."""
        self.files: dict[str, Any] = {}
        """Paths of the vocabulary files that are kept, string tensors by the name of the table."""
        self.initializer: Any = None
        """Op that fills the tables; None where there are none."""

    def __enter__(self) -> ServingSession:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.graph.as_default())
            self._fill(stack)
            self._stack = stack.pop_all()
        return self

    def _fill(self, stack: contextlib.ExitStack) -> None:
        own, replaced = like(self._part.variables), {}
        for name, variable in self._part.variables.items():
            # Readers of a reference variable take its value, readers of a resource variable its handle.
            is_resource = variable.dtype.base_dtype == variable.dtype
            replaced[f"{name}:0"] = own[name].handle if is_resource else own[name].value()
        self._import(replaced)
        self.session = stack.enter_context(contextlib.closing(session_as_is(self.graph)))
        values = self._read_values()
        load_values(self.session, [(variable, values[name]) for name, variable in own.items()])
        self.tables = {name: in_order(*values[name]) for name in self._part.tables}
        if self.tables:
            self._fill_tables()

    def _import(self, replaced: dict[str, Any]) -> None:
        """Imports the part's ops; inputs and outputs keep their names where a variable has one as its scope."""
        scopes = {name.rpartition("/")[0] for name in self._part.variables}
        for name, tensor in self._part.inputs.items():
            if name in scopes:
                replaced[f"{name}:0"] = placeholder(name, tensor)
        # Importing into a graph with such a scope numbers the op.
        hidden = [name for name in self._part.outputs if name in scopes]
        tensors = tf.import_graph_def(self._part.graph_def, replaced, [f"{name}:0" for name in hidden], name="")
        for name, tensor in zip(hidden, tensors or (), strict=True):
            named(name, tensor)

    def _fill_tables(self) -> None:
        kept = [name for name in self._part.tables if self._keep_files and self._is_as_its_file(name)]
        file_ops = [self._part.tables[name].file_op for name in kept]
        self.files = {
            name: self.graph.get_operation_by_name(op).inputs[1] for name, op in zip(kept, file_ops, strict=True)
        }
        held = {name: entries for name, entries in self.tables.items() if name not in kept}
        self.initializer = fill(self.graph, held, file_ops)
        self.session.run(self.initializer)

    def _is_as_its_file(self, name: str) -> bool:
        """Returns whether a table's vocabulary file, if it has one, still is what the table was filled from."""
        table = self._part.tables[name]
        if not table.file_op:
            return False
        try:
            same = same_entries(read_file(self._part.graph_def, name, table), self.tables[name])
        except RequestError as error:
            log.warning("%s; the export holds the entries of the run instead", error)
            return False
        if not same:
            file = file_of(self._part.graph_def, table)
            log.warning("the vocabulary file %s has changed; the export holds the entries of the run instead", file)
        return same

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def outputs(self, example: Mapping[str, Array]) -> list[Array]:
        """Returns the outputs for an example batch."""
        return run_outputs(self.session, self._part, example)


def values_in(session: Any, part: InferenceSubgraph, instead: Mapping[str, Any] | None = None) -> ReadValues:
    """Returns a reader of the variables' values in a live session, which takes one call into the graph.

    Args:
        session: Live session.
        part: Inference part.
        instead: Tensors to read in the place of variables, by the name of the variable.
    """
    sources = {**part.variables, **(instead or {})}
    fetches = {**{name: sources[name] for name in part.variables}, **entries_in(part.tables)}
    return lambda: session.run(fetches)


def entries_in(tables: Mapping[str, Table]) -> dict[str, tuple[Any, ...]]:
    """Returns what a live session reads the entries of tables from, by name."""
    return {name: table.entries for name, table in tables.items()}


def values_of(
    prefix: str, part: InferenceSubgraph, session: Any, instead: Mapping[str, AverageName] | None = None
) -> ReadValues:
    """Returns a reader of the variables' values in a checkpoint.

    Args:
        prefix: Prefix of the checkpoint's files.
        part: Inference part.
        session: Live session, for the tables that no checkpoint holds.
        instead: Averages to read in the place of variables, by the name of the variable.
    """
    reader, averages = tf.train.load_checkpoint(prefix), instead or {}

    def value(name: str, variable: Any) -> Any:
        average = averages.get(name)
        whole = np.asarray(reader.get_tensor(average.average if average else key_of(variable)))
        # An average of a part of a variable may be a variable of its own.
        return whole if average and not average.slice_spec else own_part(whole, variable)

    def values() -> dict[str, Any]:
        live = session.run(entries_in({name: table for name, table in part.tables.items() if not table.saved_as}))
        stored = {name: table.saved_as for name, table in part.tables.items() if table.saved_as}
        unused = session.run({name: part.tables[name].entries[2:] for name in stored})
        entries = {name: (*map(reader.get_tensor, keys), *unused[name]) for name, keys in stored.items()}
        return {**{name: value(name, variable) for name, variable in part.variables.items()}, **live, **entries}

    return values


def run_outputs(session: Any, part: InferenceSubgraph, example: Mapping[str, Array]) -> list[Array]:
    """Returns the outputs, computed in any session whose graph has the same names."""
    fed = {f"{name}:0": example[name] for name in part.inputs}
    values: list[Array] = session.run([f"{name}:0" for name in part.outputs], fed)
    return values


def live_outputs(session: Any, part: InferenceSubgraph, example: Mapping[str, Array]) -> list[Array]:
    """Returns the outputs, computed in the live session that the part is of."""
    fed = {tensor: example[name] for name, tensor in part.inputs.items()}
    values: list[Array] = session.run([f"{name}:0" for name in part.outputs], fed)
    return values


def describe_part(graph: Any, part: InferenceSubgraph) -> dict[str, Any]:
    """Returns inputs and outputs for a manifest: name to tensor name, dtype and shape (null: any size)."""

    def described(name: str) -> dict[str, Any]:
        tensor = graph.get_tensor_by_name(f"{name}:0")
        shape = None if tensor.shape.rank is None else tensor.shape.as_list()
        return {"tensor": tensor.name, "dtype": tensor.dtype.name, "shape": shape}

    return {
        "inputs": {name: described(name) for name in part.inputs},
        "outputs": {name: described(name) for name in part.outputs},
    }


def check_equal(what: str, names: Sequence[str], read: Sequence[Array], expected: Sequence[Array]) -> None:
    """Compares the outputs of an export with those of the live session.

    Raises:
        ReadBackError: The outputs differ by more than roundings; the message has the largest difference.
    """
    for name, value, wanted in zip(names, read, expected, strict=True):
        value, wanted = np.asarray(value), np.asarray(wanted)
        same_kind = value.dtype == wanted.dtype and value.shape == wanted.shape
        if same_kind and (tf.as_dtype(wanted.dtype).is_floating or wanted.dtype.kind == "c"):
            rtol = max(RTOL, 4 * COARSE.get(wanted.dtype.name, 0.0))
            if wanted.dtype.kind != "c":
                # NumPy does not know bfloat16 as a float.
                value, wanted = value.astype(np.float64), wanted.astype(np.float64)
            scale = float(np.max(np.abs(wanted), initial=0.0, where=np.isfinite(wanted)))
            same = np.allclose(value, wanted, rtol=rtol, atol=ATOL + rtol * scale, equal_nan=True)
        else:
            same = same_kind and np.array_equal(value, wanted)
        if not same:
            difference = _difference(value, wanted)
            raise ReadBackError(f"{what} differs from the live session: {name} {difference}")


def _difference(value: Array, wanted: Array) -> str:
    if value.shape != wanted.shape or value.dtype != wanted.dtype:
        return f"is {value.dtype} {list(value.shape)} instead of {wanted.dtype} {list(wanted.shape)}"
    if wanted.dtype.kind in "fciu":
        return f"differs by up to {np.nanmax(np.abs(value.astype(float) - wanted.astype(float))):g}"
    return "differs"
