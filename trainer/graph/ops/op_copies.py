"""Copies of ops of one graph in another, in the order of their creation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.graph.compiling.checked_functions import BRANCHES
from trainer.graph.ops.known_values import known_value
from trainer.graph.ops.random_ops import note_original
from trainer.graph.ops.stateless_random import STATELESS, drawn
from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER

v1 = tf.compat.v1

NOT_COPIED = ("_class", "_tpu_replicate")
"""Attributes that name other ops, or other machines."""


class Copies:
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
        for op in self._needed([each.op if isinstance(each, tf.Tensor) else each for each in targets]):
            branch = self._only_branch(op)
            if branch is not None:
                self._tensors[op], self._waits[op] = self._inlined(op, branch)
            elif op.type == OPTIONAL_PLACEHOLDER:
                # Nothing feeds it, so it has its default.
                self._tensors[op], self._waits[op] = [self.tensor(op.inputs[0])], self._waits_of(op)
            elif self._keeps_all(op):
                self._tensors[op], self._waits[op] = [tf.ones(self.tensor(_shape_of_draw(op)), tf.bool)], []
            else:
                copy = self._copy(op)
                self._tensors[op], self._waits[op] = list(copy.outputs), [copy]
        return [self.tensor(each) if isinstance(each, tf.Tensor) else self._run(each) for each in targets]

    def _needed(self, ends: Sequence[Any]) -> list[Any]:
        """Returns the ops that have to run, as they were made, but each after its inputs: gradients add some later."""
        found: dict[Any, list[Any]] = {}
        waiting = list(ends)
        while waiting:
            op = waiting.pop()
            if op not in found and op not in self._sources:
                found[op] = self._before(op)
                waiting += found[op]
        ordered: dict[Any, None] = {}
        for first in sorted(found, key=lambda op: op._id):
            waiting = [first]
            while waiting:
                missing = [each for each in found[waiting[-1]] if each in found and each not in ordered]
                if missing:
                    waiting += reversed(missing)
                else:
                    ordered[waiting.pop()] = None
        return list(ordered)

    def _before(self, op: Any) -> list[Any]:
        if self._keeps_all(op):
            return [_shape_of_draw(op).op]
        return [*(tensor.op for tensor in op.inputs), *op.control_inputs]

    def _keeps_all(self, op: Any) -> bool:
        """Returns whether an op draws what a dropout keeps, at a rate of 0: then nothing has to be drawn."""
        is_draw = op.type == "GreaterEqual" and op.inputs[0].op.type == "RandomUniform"
        return is_draw and bool(np.all(known_value(op.inputs[1], self._sources) == 0))

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
        copies = Copies(branch, given, self._seed)
        with tf.control_dependencies(self._waits_of(op)):
            made = copies.of([*branch.outputs, *branch.control_outputs])
        outputs = [tf.identity(each) for each in made[: len(branch.outputs)]]
        return outputs, [*(each.op for each in outputs), *made[len(branch.outputs) :]]

    def _only_branch(self, op: Any) -> Any:
        """Returns the graph of the branch that a ``tf.cond`` with a constant condition takes; None for another op."""
        if op.type not in BRANCHES or (taken := known_value(op.inputs[0], self._sources)) is None:
            return None
        name = op.get_attr("then_branch" if taken else "else_branch").name
        return getattr(op.graph._get_function(name), "graph", None)


def _shape_of_draw(op: Any) -> Any:
    return op.inputs[0].op.inputs[0]
