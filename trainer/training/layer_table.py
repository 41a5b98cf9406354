"""Table of a model's layers: the name scopes of its inference part, their outputs and their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tabulate import tabulate

from trainer.files import format_size
from trainer.graph.build import GraphContext
from trainer.graph.data.data_source import inspect_source
from trainer.graph.forward.precision import computed_in
from trainer.graph.ops.dependencies import ancestors
from trainer.graph.ops.variables import elements, variables_by_name
from trainer.graph.state.keras_state import keras_state_kept
from trainer.training.job import Job
from trainer.training.train import build

v1 = tf.compat.v1

MAX_TYPES = 4
"""Maximum number of types of ops in a row."""

UNTOLD = ("Const", "Identity", "NoOp", "ReadVariableOp", "VarHandleOp", "VariableV2", "Shape", "StridedSlice", "Pack")
"""Types of ops that say nothing about a layer."""


@dataclass
class Layer:
    """Ops of a name scope, in the order of the graph.

    Args:
        name: Name of the scope, or of an op without one.
        types: Types of its ops.
        shape: Shape of its last output.
        variables: Variables that it reads, by name.
    """

    name: str
    types: list[str] = field(default_factory=list)
    shape: Any = None
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Scope of its variables, where it has some in one scope: TensorFlow numbers the scopes of ops."""
        scopes = {name.rpartition("/")[0] for name in self.variables}
        return next(iter(scopes)) if len(scopes) == 1 and "" not in scopes else self.name


def table_of_layers(job: Job) -> str:
    """Returns the table of a job's model; the graph is built, and nothing is trained or written.

    Raises:
        RequestError: The parts of the job do not fit together.
    """
    source = inspect_source(job.data)
    try:
        with computed_in(job.precision), keras_state_kept():
            graph, _, _ = build(job, source)
            return _table(graph.context)
    finally:
        job.callbacks.close()


def _table(context: GraphContext) -> str:
    layers = layers_behind(list(context.inference.outputs.values()), context.model_variables)
    seen: set[str] = set()
    rows = []
    for layer in layers:
        again = [name for name in layer.variables if name in seen]
        seen |= layer.variables.keys()
        count = sum(elements(variable) for variable in layer.variables.values())
        kinds = ", ".join(dict.fromkeys(layer.types[:MAX_TYPES])) + (", ..." if len(layer.types) > MAX_TYPES else "")
        shared = " (shared)" if again else ""
        rows.append([layer.title, kinds, shape_text(layer.shape), f"{count:,}{shared}" if count else ""])
    headers = ["layer", "ops", "output", "parameters"]
    table = tabulate(rows, headers, disable_numparse=True, colalign=["left", "left", "left", "right"])
    return f"{table}\n\n{_totals(context)}"


def _totals(context: GraphContext) -> str:
    trainable_variables = context.graph.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES)
    trained = {variable.op.name for variable in trainable_variables} & context.model_variables.keys()
    count = {name: elements(variable) for name, variable in context.model_variables.items()}
    total, trainable = sum(count.values()), sum(count[name] for name in trained)
    everything = variables_by_name(context.graph)
    size = sum(elements(each) * (each.dtype.base_dtype.size or 0) for each in everything.values())
    return (
        f"{total:,} parameters, {trainable:,} trainable and {total - trainable:,} not; "
        f"{format_size(size)} with the optimizer's variables"
    )


def layers_behind(outputs: Sequence[Any], variables: Mapping[str, Any]) -> list[Layer]:
    """Returns the layers that outputs depend on, in the order in which the graph was built.

    Args:
        outputs: Tensors of a graph.
        variables: Variables by name.
    """
    graph = outputs[0].graph
    needed = ancestors(outputs)
    ordered = [op for op in graph.get_operations() if op in needed]
    handles = {variable.handle.op: name for name, variable in variables.items() if hasattr(variable, "handle")}
    handles |= {variable.op: name for name, variable in variables.items() if not hasattr(variable, "handle")}
    reads: dict[Any, set[str]] = {}
    computed: set[Any] = set()
    layers: dict[str, Layer] = {}
    for op in ordered:
        before = {each.op for each in op.inputs}
        reads[op] = {handles[op]} if op in handles else set()
        if not before & computed and op.type != "Placeholder":
            # A part without data, such as the read of a variable, belongs to the layer that takes it.
            for each in before:
                reads[op] |= reads.get(each, set())
            continue
        computed.add(op)
        scope = op.name.rpartition("/")[0] or op.name
        layer = layers.setdefault(scope, Layer(scope))
        for each in before - computed:
            layer.variables |= {name: variables[name] for name in sorted(reads.get(each, set()))}
        if op.type not in UNTOLD:
            layer.types.append(op.type)
        if op.outputs and (op.type not in UNTOLD or layer.shape is None):
            layer.shape = op.outputs[0].shape
    return [layer for layer in layers.values() if layer.types]


def shape_text(shape: Any) -> str:
    """Returns a shape as text.

    Example:
        >>> [shape_text(tf.TensorShape(each)) for each in ([None, 3], [], None)]
        ['? x 3', 'scalar', '?']
    """
    if shape is None or shape.rank is None:
        return "?"
    return " x ".join("?" if size is None else str(size) for size in shape.as_list()) or "scalar"
