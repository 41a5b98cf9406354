"""Outputs that a person would predict with, found in a graph that does not declare them; no TensorFlow.

A graph of a training holds, beside the prediction, its loss, gradients, metrics and the ops that save it. What is
fed decides which is which: an input meets the weights of the net (a product, a convolution, a look-up), while labels,
rates and flags never do. A prediction depends on an input and on no label; where a value that depends on the
weights meets a label, or an input that has met no weight, the loss or a metric begins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.graphdef.dependence import (
    WEIGHING_OP,
    dependent_on,
    fed_or_read,
    is_flag,
    is_label,
    of_each_example,
    weights_alone,
    weights_of,
)
from trainer.graphdef.node_names import is_named_by_hand
from trainer.graphdef.op_types import (
    NO_OUTPUT_OP,
    PLACEHOLDERS,
    SAVER_SCOPE,
    SOURCE_OP,
    TRAINING_OP,
)
from trainer.graphdef.traverse import downstream, node_of

GRADIENTS = re.compile(r"(^|/)gradients(_\d+)?/")
"""Scope of the ops that ``tf.gradients`` adds."""

ON_THE_WAY_BACK = re.compile(r"(?:^|/)gradients(?:_\d+)?/(?P<name>.+)_grad/")
"""Name of an op of the gradient; the group is the op of the net that it belongs to."""

SHAPE_OP = re.compile(r"^(Shape|ShapeN|Size|Rank|StridedSlice|Pack|ConcatOffset|Range)$")
"""Ops that compute with sizes; what they give is no prediction by itself."""

PASSIVE_OP = re.compile(r"^(Identity|Reshape|Squeeze|ExpandDims|StopGradient|Transpose|Cast)$")
"""Ops that give what they are given in another form."""

CLIPPING_OP = re.compile(r"^(ClipByValue|Maximum|Minimum|Add(V2)?|Sub|Mul|Identity)$")
"""Ops that keep a logarithm finite."""

METRIC_NAME = re.compile(
    r"accura|precision|recall|(^|[/_])(loss|cost|error|mse|rmse|mae|auc|metrics?|xent)([/_]|$)|cross_entropy",
    re.IGNORECASE,
)
"""Names of losses and metrics."""

OUTPUT_NAME = re.compile(
    r"pred|prob|softmax|logit|output|out$|score|class|hypothesis|final|result|infer|(^|_)y_?(hat|conv|pred)?$",
    re.IGNORECASE,
)
"""Names that people give to predictions."""

ANSWER_OPS = ("Softmax", "Sigmoid", "LogSoftmax", "ArgMax", "TopK", "TopKV2")
"""Ops that a prediction ends with, the likeliest first."""

LOSS_OPS = {"SparseSoftmaxCrossEntropyWithLogits": 0, "SoftmaxCrossEntropyWithLogits": 0, "CTCLoss": 0, "CTCLossV2": 0}
"""Ops of losses, and the place of the prediction among their inputs."""


@dataclass(frozen=True)
class _Parts:
    """Sets of nodes by what they depend on.

    Args:
        inputs: Nodes that depend on an input.
        labels: Nodes that depend on a label.
        weights: Nodes that depend on a weight.
    """

    inputs: Collection[str]
    labels: Collection[str]
    weights: Collection[str]


def proposed_outputs(graph_def: Any) -> list[str]:
    """Returns the nodes that a person would predict with, the likeliest first; [] if none stands out.

    Args:
        graph_def: Whole graph.
    """
    nodes = {node.name: node for node in graph_def.node if not _belongs_to_training(node)}
    reads = {name: [tensor for tensor in node.input if not tensor.startswith("^")] for name, node in nodes.items()}
    variables = weights_of(nodes)
    weights = weights_alone(reads, nodes, variables)
    sources = [each for each in fed_or_read(nodes, reads) if not is_flag(nodes, each)]
    labels = {each for each in sources if is_label(each, nodes, reads, weights)}
    inputs = [each for each in sources if each not in labels]
    if not inputs:
        return []
    parts = _Parts(dependent_on(reads, inputs), dependent_on(reads, labels), downstream(reads, variables))
    each_example = of_each_example(reads, nodes, inputs)
    found = [name for name in nodes if name in each_example and _may_be_predicted(nodes[name], parts)]
    begun = _begins_a_loss(graph_def, nodes, reads, parts, found) if not labels else set()
    found = [name for name in found if name not in begun]
    return _ranked(found, nodes, reads, set(parts.labels) | begun, _updates(graph_def))


def _updates(graph_def: Any) -> set[str]:
    """Returns the nodes whose values variables are set to, as moving averages are."""
    return {node_of(tensor) for node in graph_def.node if node.op.startswith("Assign") for tensor in node.input[1:]}


def _belongs_to_training(node: Any) -> bool:
    return bool(
        GRADIENTS.search(node.name)
        or SAVER_SCOPE.match(node.name)
        or (TRAINING_OP.search(node.op) and not SOURCE_OP.search(node.op))
        or "Summary" in node.op
    )


def _may_be_predicted(node: Any, parts: _Parts) -> bool:
    name = node.name
    depends = name in parts.inputs and name not in parts.labels and (name in parts.weights or not parts.weights)
    return depends and not NO_OUTPUT_OP.match(node.op) and node.op not in PLACEHOLDERS and not SOURCE_OP.search(node.op)


def _begins_a_loss(
    graph_def: Any,
    nodes: Mapping[str, Any],
    reads: Mapping[str, Sequence[str]],
    parts: _Parts,
    candidates: Sequence[str],
) -> set[str]:
    """Returns the nodes of losses without labels: where a prediction meets an input that met no weight, and on.

    Only what the gradient goes back through can be such a loss.
    """
    back = {match["name"] for node in graph_def.node if (match := ON_THE_WAY_BACK.search(node.name))}
    if not back:
        return set()
    raw = set(parts.inputs) - set(parts.weights)
    weighing = {
        name
        for name in candidates
        if WEIGHING_OP.search(nodes[name].op) and any(nodes_depend(tensor, parts) == "weight" for tensor in reads[name])
    }
    losses = set()
    for name in candidates:
        if name not in back:
            continue
        meets = {node_of(tensor) for tensor in reads[name]}
        below = downstream(reads, [name])
        joins = meets & raw and meets & set(candidates) and not (below & weighing)
        last = not ((below - {name}) & back)
        if joins or last:
            losses |= below
    return losses


def nodes_depend(tensor: str, parts: _Parts) -> str:
    """Returns ``weight`` for a tensor that depends on weights alone, ``input`` for any other.

    Args:
        tensor: Name of the tensor.
        parts: Nodes by what they depend on.
    """
    name = node_of(tensor)
    return "weight" if name in parts.weights and name not in parts.inputs else "input"


def _ranked(
    found: Sequence[str],
    nodes: Mapping[str, Any],
    reads: Mapping[str, Sequence[str]],
    of_losses: Collection[str],
    updates: Collection[str],
) -> list[str]:
    """Returns the candidates that end a prediction or go into a loss, the likeliest first."""
    among = set(found)
    read_by: dict[str, set[str]] = {name: set() for name in found}
    for reader, tensors in reads.items():
        for tensor in tensors:
            if node_of(tensor) in among:
                read_by[node_of(tensor)].add(reader)
    counts = {
        name: {each for each in readers if each in among and _counts(nodes[each])} for name, readers in read_by.items()
    }
    ends = [name for name in found if not counts[name] and name not in updates and not METRIC_NAME.search(name)]
    into_loss = {name for name in found for each in read_by[name] if each in of_losses and _counts(nodes[each])}
    into_loss = {_without_form(name, nodes, reads, among) for name in into_loss}
    into_loss = {name for name in into_loss if not METRIC_NAME.search(name)}
    by_hand = [name for name in found if is_named_by_hand(name, nodes[name].op) and not METRIC_NAME.search(name)]
    chosen = {name: None for name in (*ends, *into_loss, *_answers(found, nodes), *by_hand) if _counts(nodes[name])}
    order = {name: i for i, name in enumerate(nodes)}
    return sorted(chosen, key=lambda name: (_rank(name, nodes, name in ends, name in into_loss), -order[name]))


def _counts(node: Any) -> bool:
    return not SHAPE_OP.match(node.op)


def _answers(found: Sequence[str], nodes: Mapping[str, Any]) -> list[str]:
    """Returns the last op of each kind that a prediction ends with."""
    return [name for op in ANSWER_OPS for name in [each for each in found if nodes[each].op == op][-1:]]


def _without_form(
    name: str, nodes: Mapping[str, Any], reads: Mapping[str, Sequence[str]], among: Collection[str]
) -> str:
    """Returns the node whose value a loss takes in another form: reshaped by it, or as a logarithm."""
    logarithm = False
    while True:
        op = nodes[name].op
        by_the_loss = PASSIVE_OP.match(op) and METRIC_NAME.search(name)
        tensors = reads[name][:1] if by_the_loss else reads[name]
        given = [node_of(tensor) for tensor in tensors if node_of(tensor) in among]
        others = [node_of(tensor) for tensor in tensors if node_of(tensor) not in among]
        within = logarithm and CLIPPING_OP.match(op) and all(nodes[each].op == "Const" for each in others)
        if len(given) != 1 or not (by_the_loss or within or op == "Log"):
            return name
        name, logarithm = given[0], logarithm or op == "Log"


def _rank(name: str, nodes: Mapping[str, Any], ends: bool, into_loss: bool) -> tuple[int, ...]:
    last = name.rpartition("/")[2]
    op = nodes[name].op
    named = OUTPUT_NAME.search(last) is not None
    answer = ANSWER_OPS.index(op) if op in ANSWER_OPS else len(ANSWER_OPS)
    by_hand = "/" not in name and is_named_by_hand(name, op)
    return (not named, not by_hand, answer in (3, 4, 5), not (ends or into_loss), answer, not into_loss)
