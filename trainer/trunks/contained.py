"""Check that a frozen graph contains the trunks of its model, bit for bit as in their own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import ReadBackError
from trainer.graph.ops.find_instances import find_instances
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.subgraph import extract_subgraph
from trainer.graphdef.traverse import tensor_of
from trainer.trunks.trunk import Trunk
from trainer.trunks.trunk_file import value_of

v1 = tf.compat.v1

Check = Callable[[Path], dict[str, Any]]
"""Check of a frozen file; raises ReadBackError or returns entries of its manifest."""


def check_of_trunks(model: Any, example: Mapping[str, Array]) -> Check:
    """Returns the check of a frozen file against the trunks of its model.

    Args:
        model: Model whose trunks have been built.
        example: Batch of the data by input.
    """
    trunks = find_instances(model, Trunk)

    def check(file: Path) -> dict[str, Any]:
        whole = read_graph(file) if trunks else None
        found = [{**trunk.metadata(), **check_contained(trunk, whole, str(file), example)} for trunk in trunks]
        return {"trunks": found} if found else {}

    return check


def check_contained(trunk: Trunk, whole: Any, file: str, example: Mapping[str, Array]) -> dict[str, Any]:
    """Compares the constants of a trunk byte for byte, and its outputs on a batch bit for bit.

    If some constants have become variables, their values and so the outputs have changed in training;
    only the remaining constants are compared.

    Args:
        trunk: Trunk that has been built.
        whole: GraphDef of the whole frozen graph.
        file: Path of its file, for messages.
        example: Batch of the data by input.

    Returns:
        The number of compared constants, and whether the outputs were compared.

    Raises:
        ReadBackError: A constant or an output differs; the message has the names.
    """
    nodes = {node.name: node for node in whole.node}
    outputs = [name for name in trunk.file.outputs if f"{trunk.prefix}/{name}" in nodes]
    if not outputs:
        return {"constants_compared": 0, "outputs_compared": False}
    part = extract_subgraph(trunk.file.part.graph_def, {name: tensor_of(name) for name in outputs})
    constants = [node for node in part.graph_def.node if node.op == "Const" and node.name not in trunk.variables]
    different = [node.name for node in constants if not _is_same(node, nodes.get(f"{trunk.prefix}/{node.name}"))]
    if different:
        raise ReadBackError(
            f"{file} does not contain the trunk {trunk.file.file} unchanged: {len(different)} of {len(constants)} "
            f"constants differ ({', '.join(different[:3])})"
        )
    if not trunk.variables:
        _compare_outputs(trunk, whole, outputs, file, example)
    return {"constants_compared": len(constants), "outputs_compared": not trunk.variables}


def _is_same(node: Any, twin: Any) -> bool:
    if twin is None or twin.op != "Const":
        return False
    own, other = value_of(node), value_of(twin)
    if (own.dtype, own.shape) != (other.dtype, other.shape):
        return False
    # The bytes of an array of strings are pointers.
    return own.tolist() == other.tolist() if own.dtype == object else own.tobytes() == other.tobytes()


def _compare_outputs(trunk: Trunk, whole: Any, outputs: Sequence[str], file: str, example: Mapping[str, Array]) -> None:
    alone = {f"{placeholder}:0": example[name] for placeholder, name in trunk.inputs.items()}
    inside = {f"{name}:0": example[name] for name in trunk.inputs.values()}
    expected = _run(trunk.file.part.graph_def, outputs, alone)
    values = _run(whole, [f"{trunk.prefix}/{name}" for name in outputs], inside)
    for name, value, wanted in zip(outputs, values, expected, strict=True):
        if np.asarray(value).tobytes() != np.asarray(wanted).tobytes():
            raise ReadBackError(
                f"{trunk.prefix}/{name} of {file} differs from the output of the trunk {trunk.file.file}"
            )


def _run(graph_def: Any, outputs: Sequence[str], fed: Mapping[str, Array]) -> list[Array]:
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        # If the whole graph has only some of the outputs, placeholders of the others may be missing.
        there = {name: value for name, value in fed.items() if name[:-2] in {node.name for node in graph_def.node}}
        values: list[Array] = session.run([f"{name}:0" for name in outputs], there)
        return values
