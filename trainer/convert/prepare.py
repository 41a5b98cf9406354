"""Preparation of a graph for a conversion: flags become constants, unknown shapes those of the batch."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.convert.loops import keep_loops
from trainer.data.arrays import Array
from trainer.graphdef.flags import flag_defaults, set_constant
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.graphdef.subgraph import extract_subgraph
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo


def prepared_graph(source: Path, predictor: Predictor, batch: Mapping[str, Array]) -> Any:
    """Returns the GraphDef to convert: the part that the outputs need.

    Args:
        source: Path of the frozen graph.
        predictor: Predictor of it.
        batch: Batch that the conversion is checked on; it gives flags their value, and inputs without one a shape.
    """
    whole = read_graph(source)
    part = extract_subgraph(whole, {name: info.tensor for name, info in predictor.outputs.items()}).graph_def
    flags = flag_defaults(whole)
    for node in part.node:
        if node.op not in PLACEHOLDERS:
            continue
        if node.name in flags:
            value = batch[node.name] if node.name in batch else flags[node.name]
            set_constant(node, node.attr["dtype"].type, float(value))
        elif node.name in batch and predictor.inputs[node.name].shape is None:
            shape = node.attr["shape"].shape
            shape.Clear()
            for i, size in enumerate(batch[node.name].shape):
                shape.dim.add(size=size if i else -1)
            shape.SetInParent()
    keep_loops(part)
    return part


def inputs_of(graph_def: Any, predictor: Predictor) -> dict[str, TensorInfo]:
    """Returns the inputs of a prepared graph: those of the predictor that have not become constants."""
    there = {node.name for node in graph_def.node if node.op in PLACEHOLDERS}
    return {name: info for name, info in predictor.inputs.items() if info.tensor.removesuffix(":0") in there}


@contextlib.contextmanager
def as_file(graph_def: Any) -> Iterator[str]:
    """Writes a graph to a file that exists within the block, and returns its path.

    Args:
        graph_def: GraphDef to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.pb")
        file.write_bytes(graph_def.SerializeToString())
        yield str(file)
