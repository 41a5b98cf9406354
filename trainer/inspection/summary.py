"""Summary of a model's file; no TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.graphdef.declared import dtype_name, element_count, sizes_of
from trainer.graphdef.op_types import VARIABLE_OPS
from trainer.graphdef.subgraph import extract_subgraph
from trainer.graphdef.traverse import tensor_of
from trainer.inspection.static import Infos, StaticModel


@dataclass(frozen=True)
class Summary:
    """Summary of a model, as shown by ``scripts/models show``.

    Args:
        path: Path of the file or directory.
        format: Format of the model: ``frozen``, ``graph``, ``meta`` or ``saved_model``.
        size: Size in bytes, including the variables of a SavedModel.
        inputs: Inputs of the inference part by name; all placeholders if its outputs are not known.
        outputs: Outputs of the inference part by name.
        signatures: Inputs and outputs of each signature of a SavedModel, by the signature's name.
        tag_sets: Tags of each graph in a SavedModel.
        likely: Names of nodes that may be the outputs, the likeliest first, where the file does not declare them.
        parameters: Number of values in the variables and constants that the outputs need, or the likely ones.
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
    likely: Sequence[str]
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
    """Returns the summary of a model."""
    part = model.part.graph_def if model.part else None
    return Summary(
        path=str(model.path),
        format=model.format,
        size=_size(model.path),
        inputs=model.inputs,
        outputs=model.outputs,
        signatures=model.signatures or {},
        tag_sets=model.tag_sets,
        likely=model.likely,
        parameters=parameter_count(part or _likely_part(model)),
        ops=_op_counts(model.graph_def),
        inference_ops=_op_counts(part) if part else {},
    )


def _likely_part(model: StaticModel) -> Any:
    """Returns what the likely outputs need: without slots and initial values, which a prediction does not read."""
    if not model.likely:
        return model.graph_def
    return extract_subgraph(model.graph_def, {name: tensor_of(name) for name in model.likely}).graph_def


def parameter_count(graph_def: Any) -> int:
    """Returns the number of values in variables and floating constants; scalar constants do not count."""
    count = 0
    for node in graph_def.node:
        if node.op in VARIABLE_OPS:
            sizes = sizes_of(node.attr["shape"].shape)
            count += 0 if sizes is None else element_count(sizes)
        elif node.op == "Const" and "float" in dtype_name(node.attr["dtype"].type):
            sizes = sizes_of(node.attr["value"].tensor.tensor_shape)
            count += element_count(sizes) if sizes else 0
    return count


def _op_counts(graph_def: Any) -> dict[str, int]:
    counted: Counter[str] = Counter(node.op for node in graph_def.node)
    counted.update(node.op for function in graph_def.library.function for node in function.node_def)
    return dict(counted.most_common())


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size
