"""Summary of a model's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, VARIABLE_OPS
from trainer.graphdef.traverse import model_placeholders
from trainer.inspection.static import Infos, StaticModel
from trainer.predict.tensor_info import TensorInfo


@dataclass(frozen=True)
class Summary:
    """Summary of a model, as shown by ``scripts/models show``.

    Args:
        path: Path of the file or directory.
        format: Format of the model: ``frozen``, ``meta`` or ``saved_model``.
        size: Size in bytes, including the variables of a SavedModel.
        inputs: Inputs of the inference part by name; all placeholders if its outputs are not known.
        outputs: Outputs of the inference part by name.
        signatures: Inputs and outputs of each signature of a SavedModel, by the signature's name.
        tag_sets: Tags of each graph in a SavedModel.
        parameters: Number of values in the variables, or constants, that the outputs need.
        ops: Number of ops of each type in the whole graph, functions included, the most common type first.
        inference_ops: Number of ops of each type in the inference part, the most common type first.
    """

    path: str
    format: str
    size: int
    inputs: Infos
    outputs: Infos
    signatures: Mapping[str, tuple[Infos, Infos]]
    tag_sets: Sequence[Sequence[str]]
    parameters: int
    ops: Mapping[str, int]
    inference_ops: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as JSON data."""
        return {
            **asdict(self),
            "signatures": {
                name: {"inputs": _json(inputs), "outputs": _json(outputs)}
                for name, (inputs, outputs) in self.signatures.items()
            },
        }


def _json(infos: Infos) -> dict[str, Any]:
    return {name: asdict(info) for name, info in infos.items()}


def summarize(model: StaticModel) -> Summary:
    """Returns the summary of a model.

    Raises:
        RequestError: This version of TensorFlow cannot import its inference part.
    """
    _, inputs, outputs = model.imported()
    part_graph_def = model.prediction.part.graph_def if model.prediction else None
    return Summary(
        path=str(model.path),
        format=model.format,
        size=_size(model.path),
        inputs=inputs if model.prediction else _placeholders(model.graph_def),
        outputs=outputs,
        signatures=model.signatures or {},
        tag_sets=model.tag_sets,
        parameters=parameter_count(part_graph_def or model.graph_def),
        ops=_op_counts(model.graph_def),
        inference_ops=_op_counts(part_graph_def) if part_graph_def else {},
    )


def parameter_count(graph_def: Any) -> int:
    """Returns the number of values in variables and floating constants; scalar constants do not count."""
    count = 0
    for node in graph_def.node:
        if node.op in VARIABLE_OPS:
            count += tf.TensorShape(node.attr["shape"].shape).num_elements() or 0
        elif node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating:
            shape = tf.TensorShape(node.attr["value"].tensor.tensor_shape)
            count += shape.num_elements() if shape.rank else 0
    return count


def _op_counts(graph_def: Any) -> dict[str, int]:
    counted: Counter[str] = Counter(node.op for node in graph_def.node)
    counted.update(node.op for function in graph_def.library.function for node in function.node_def)
    return dict(counted.most_common())


def _placeholders(graph_def: Any) -> dict[str, TensorInfo]:
    found = {}
    for node in model_placeholders(graph_def.node):
        shape = tf.TensorShape(node.attr["shape"].shape)
        sizes = None if shape.rank is None else tuple(shape.as_list())
        dtype = tf.as_dtype(node.attr["dtype"].type).name
        found[node.name] = TensorInfo(f"{node.name}:0", dtype, sizes, node.op == OPTIONAL_PLACEHOLDER)
    return found


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size
