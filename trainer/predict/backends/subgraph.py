"""Extraction and import of the part of a GraphDef that a predictor runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graphdef.feeds import named_feeds, refuse_pipelines
from trainer.graphdef.flags import flag_defaults, give_defaults
from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER
from trainer.graphdef.output_names import Names, likely_outputs, named_tensors, op_types_of
from trainer.graphdef.subgraph import Subgraph, extract_subgraph
from trainer.graphdef.traverse import node_of
from trainer.predict.backends.session import tensor_info
from trainer.predict.tensor_info import TensorInfo

v1 = tf.compat.v1

UNKNOWN_OP = re.compile(r"Op type not registered '(?P<op>[^']+)'")
"""Part of TensorFlow's message about an op that it does not know."""


@dataclass(frozen=True)
class PredictionSubgraph:
    """Part of a graph for a prediction, and the tensors that are fed instead of computed.

    Args:
        part: Subgraph that the outputs need, without the nodes that only fed tensors need.
        fed: Fed tensors by the name of the input.
    """

    part: Subgraph
    fed: Mapping[str, TensorInfo]


def extract_prediction(graph_def: Any, outputs: Names, inputs: Names | None, what: str) -> PredictionSubgraph:
    """Returns the part of a graph that the outputs need.

    Args:
        graph_def: Whole graph.
        outputs: Nodes or tensors to compute.
        inputs: Tensors to feed besides the placeholders, such as the outputs of an input pipeline.
        what: Path of the file, for messages.

    Raises:
        RequestError: A node is missing, or an output needs data that cannot be fed.
    """
    types = op_types_of(graph_def)
    wanted = named_tensors("outputs", outputs, types, lambda: likely_outputs(graph_def), what)
    fed = named_feeds(inputs or (), types, lambda: likely_outputs(graph_def), what)
    part = _with_flags(extract_subgraph(graph_def, wanted, set(fed.values())), graph_def)
    refuse_pipelines(part, what)
    return PredictionSubgraph(part, {name: _declared(graph_def, tensor, what) for name, tensor in fed.items()})


def _with_flags(part: Subgraph, graph_def: Any) -> Subgraph:
    """Returns a part whose flags, such as the probability of a dropout, need not be fed."""
    flags = flag_defaults(graph_def)
    give_defaults(part.graph_def, {name: flags[name] for name in part.placeholders if name in flags})
    placeholders = {node.name: node for node in part.graph_def.node if node.name in part.placeholders}
    return replace(part, placeholders=placeholders)


def _declared(graph_def: Any, tensor: str, what: str) -> TensorInfo:
    """Returns dtype and shape of a tensor, inferred by TensorFlow from the nodes upstream."""
    with tf.Graph().as_default() as graph:
        import_part(extract_subgraph(graph_def, {tensor: tensor}).graph_def, {}, what)
        return tensor_info(_tensor(graph, tensor, what))


def import_prediction(prediction: PredictionSubgraph, what: str) -> tuple[dict[str, TensorInfo], dict[str, TensorInfo]]:
    """Imports the part into the default graph.

    Args:
        prediction: Part to import.
        what: Path of the file, for messages.

    Returns:
        Inputs and outputs by name.

    Raises:
        RequestError: This version of TensorFlow cannot import the part, or an output is not a tensor.
    """
    graph, part = v1.get_default_graph(), prediction.part
    # The names of inputs may be names of nodes too, so the placeholders have a separate scope.
    fed = {
        name: v1.placeholder(info.dtype, info.shape, name=f"fed_inputs/{i}")
        for i, (name, info) in enumerate(prediction.fed.items())
    }
    import_part(part.graph_def, {info.tensor: fed[name] for name, info in prediction.fed.items()}, what)
    inputs = {name: tensor_info(tensor) for name, tensor in fed.items()}
    for name, node in part.placeholders.items():
        optional = node.op == OPTIONAL_PLACEHOLDER
        inputs[name] = tensor_info(graph.get_tensor_by_name(f"{name}:0"), optional=optional)
    return inputs, {name: tensor_info(_tensor(graph, tensor, what)) for name, tensor in part.outputs.items()}


def import_part(graph_def: Any, replaced: Mapping[str, Any], what: str, producer_ops: Any = None) -> None:
    """Imports a graph into the default one.

    Args:
        graph_def: GraphDef to import.
        replaced: Tensors of the default graph by the names of those that they replace.
        what: Path of the file, for messages.
        producer_ops: OpList of the TensorFlow that wrote the graph, if known: defaults that only it knows are dropped.

    Raises:
        RequestError: This version of TensorFlow cannot import it.
    """
    try:
        tf.import_graph_def(graph_def, replaced, name="", producer_op_list=producer_ops)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        unknown = UNKNOWN_OP.search(str(error))
        if unknown:
            raise RequestError(
                f"{what} needs the op {unknown['op']!r}, which TensorFlow {tf.__version__} does not have"
            ) from error
        raise RequestError(f"{what} cannot be imported: {str(error).splitlines()[0]}") from error


def _tensor(graph: Any, name: str, what: str) -> Any:
    try:
        return graph.get_tensor_by_name(name)
    except KeyError as error:
        count = len(graph.get_operation_by_name(node_of(name)).outputs)
        raise RequestError(
            f"outputs: {name!r} of {what} is not a tensor: the node has {count} outputs", argument="outputs"
        ) from error
