"""Graph in which one call of a function of graph mode is made, and copies of what the call needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

# A graph whose tensors may come from the graph around it; it has no public name.
from tensorflow.python.framework.func_graph import FuncGraph

from trainer.errors import RequestError
from trainer.graph.checked_functions import BRANCHES
from trainer.graph.random_ops import note_original
from trainer.graph.state_ops import upstream_ops
from trainer.graph.stateless_random import STATELESS, drawn
from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, PLACEHOLDERS

v1 = tf.compat.v1

NOT_COPIED = ("_class", "_tpu_replicate")
"""Attributes that name other ops, or other machines."""


class IsolatedGraph(FuncGraph):  # type: ignore[misc] # TensorFlow has no types
    """Graph of one call: names, scopes and collections are those of a new graph.

    Nothing runs because it is there, as in a session: what the call needs is copied into the graph around.

    Args:
        name: Name for messages.
        collections: Collections that the call finds.
    """

    def __init__(self, name: str, collections: Mapping[str, Sequence[Any]]) -> None:
        super().__init__(name, collections={key: list(each) for key, each in collections.items()})
        self._given: dict[Any, Any] = {}

    def stand_in(self, name: str, outer: Any) -> Any:
        """Returns a placeholder of this graph for a tensor of the graph around."""
        with self.as_default():
            placeholder = v1.placeholder(outer.dtype, outer.shape, name=name)
        self.feed(placeholder.op, outer)
        return placeholder

    def feed(self, placeholder: Any, outer: Any) -> None:
        """Puts a tensor of the graph around in the place of an op of this graph."""
        self._given[placeholder] = outer

    def unfed(self, targets: Sequence[Any]) -> list[str]:
        """Returns the names of the placeholders that nothing feeds, and that tensors or ops need."""
        sources = {*self._given, *(inner.op for _, inner in self.captures)}
        ends = [each.op if isinstance(each, tf.Tensor) else each for each in targets]
        needed = upstream_ops(ends, stop=lambda op: op in sources)
        return [op.name for op in needed if op.type in PLACEHOLDERS and not op.inputs]

    def copied(self, targets: Sequence[Any], seed: Any = None) -> list[Any]:
        """Copies tensors and ops, with all that they need, into the default graph in the order of their creation.

        Args:
            targets: Tensors and ops of this graph.
            seed: Seed of the step, int32 [2], with which random ops draw without a state; None leaves them as they are.

        Returns:
            The copies.
        """
        sources = self._given | {inner.op: outer for outer, inner in self.captures}
        return _Copies(self, sources, seed).of(targets)


class _Copies:
    """Copies of the ops of one graph in the default graph.

    Args:
        graph: Graph of a call, or of a branch of ``tf.cond`` in it.
        sources: Tensors of the default graph, by the ops of the graph that stand for them.
        seed: Seed of random ops, or None.
    """

    def __init__(self, graph: Any, sources: Mapping[Any, Any], seed: Any) -> None:
        self._seed = seed
        self._into = v1.get_default_graph()
        self._sources = sources
        self._tensors: dict[Any, list[Any]] = {}
        self._waits: dict[Any, list[Any]] = {}
        for function in graph._functions.values():
            self._into._add_function_recursive(function)

    def of(self, targets: Sequence[Any]) -> list[Any]:
        """Returns the copies of tensors, and of ops the ones that have to run for them."""
        ends = [each.op if isinstance(each, tf.Tensor) else each for each in targets]
        for op in _inputs_first(upstream_ops(ends, stop=lambda op: op in self._sources)):
            branch = self._only_branch(op)
            if op.type == OPTIONAL_PLACEHOLDER:
                # Nothing feeds it, so it has its default.
                self._tensors[op], self._waits[op] = [self.tensor(op.inputs[0])], self._waits_of(op)
            elif branch is None:
                copy = self._copy(op)
                self._tensors[op], self._waits[op] = list(copy.outputs), [copy]
            else:
                self._tensors[op], self._waits[op] = self._inlined(op, branch)
        return [self.tensor(each) if isinstance(each, tf.Tensor) else self._run(each) for each in targets]

    def tensor(self, tensor: Any) -> Any:
        """Returns the copy of a tensor, or the tensor that it stands for."""
        if tensor.op in self._sources:
            return self._sources[tensor.op]
        return self._tensors[tensor.op][tensor.value_index]

    def _run(self, op: Any) -> Any:
        waits = self._waits[op]
        return waits[0] if len(waits) == 1 else tf.group(*waits)

    def _copy(self, op: Any) -> Any:
        attributes = {name: value for name, value in op.node_def.attr.items() if name not in NOT_COPIED}
        inputs = [self.tensor(each) for each in op.inputs]
        with tf.control_dependencies(self._waits_of(op)), tf.device(op.device):
            if self._seed is not None and op.type in STATELESS:
                copy = drawn(op, inputs, self._seed).op
            else:
                dtypes = [each.dtype for each in op.outputs]
                copy = self._into.create_op(op.type, inputs, dtypes, name=op.name, attrs=attributes)
        for own, original in zip(copy.outputs, op.outputs, strict=True):
            own.set_shape(original.shape)
        note_original(copy, op)
        return copy

    def _waits_of(self, op: Any) -> list[Any]:
        # Ops that stand for a tensor of the graph around have been computed before.
        return [copy for each in op.control_inputs for copy in self._waits.get(each, ())]

    def _inlined(self, op: Any, branch: Any) -> tuple[list[Any], list[Any]]:
        """Copies a branch in place of its ``tf.cond``; returns its outputs, and the ops to wait for."""
        given = {inner.op: self.tensor(outer) for inner, outer in zip(branch.inputs, op.inputs[1:], strict=True)}
        copies = _Copies(branch, given, self._seed)
        with tf.control_dependencies(self._waits_of(op)):
            made = copies.of([*branch.outputs, *branch.control_outputs])
        outputs = [tf.identity(each) for each in made[: len(branch.outputs)]]
        return outputs, [*(each.op for each in outputs), *made[len(branch.outputs) :]]

    def _only_branch(self, op: Any) -> Any:
        """Returns the graph of the branch that a ``tf.cond`` with a constant condition takes; None for another op."""
        if op.type not in BRANCHES or (taken := tf.get_static_value(self.tensor(op.inputs[0]))) is None:
            return None
        name = op.get_attr("then_branch" if taken else "else_branch").name
        return getattr(op.graph._get_function(name), "graph", None)


def _inputs_first(ops: Sequence[Any]) -> list[Any]:
    """Returns ops in the order of their creation, but each after its inputs, which gradients of loops add later."""
    all_ops = set(ops)
    ordered: dict[Any, None] = {}
    for first in ops:
        waiting = [first]
        while waiting:
            op = waiting[-1]
            before = [*(tensor.op for tensor in op.inputs), *op.control_inputs]
            missing = [each for each in before if each in all_ops and each not in ordered]
            if missing:
                waiting += reversed(missing)
            else:
                ordered[waiting.pop()] = None
    return list(ordered)


def lifted(graph: IsolatedGraph, value: Any, name: str) -> Callable[[], Any]:
    """Returns a function that makes an initial value anew in the graph of the variables.

    Args:
        graph: Graph of the call.
        value: Tensor of the graph.
        name: Name of the variable, for messages.

    Raises:
        RequestError: The value depends on the data.
    """
    from_data = fed_in(graph, [value])
    if from_data:
        raise RequestError(
            f"the initial value of the variable {name!r} depends on the data ({from_data}), and there is none when "
            "variables are initialised; give it a constant or an initializer"
        )
    return lambda: graph.copied([value])[0]


def fed_in(graph: IsolatedGraph, tensors: Iterable[Any]) -> str:
    """Returns the name of an input of the call that tensors depend on; '' if there is none."""
    ops = upstream_ops([each.op for each in tensors])
    return next((op.name for op in ops if op in graph._given), "")
