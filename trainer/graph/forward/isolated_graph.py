"""Graph in which one call of a function of graph mode is made, and copies of what the call needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

# A graph whose tensors may come from the graph around it; it has no public name.
from tensorflow.python.framework.func_graph import FuncGraph

from trainer.errors import RequestError
from trainer.graph.ops.op_copies import Copies
from trainer.graph.ops.state_ops import upstream_ops
from trainer.graphdef.op_types import PLACEHOLDERS

v1 = tf.compat.v1


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
        return Copies(self, sources, seed).of(targets)


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


def fill_tables_outside(graph: IsolatedGraph) -> None:
    """Lets the graph of the run fill the look-up tables of a call, once, as it fills those of a constructor.

    Args:
        graph: Graph of the call; the tables are in the graph of the run already.

    Raises:
        RequestError: The entries of a table depend on the data.
    """
    for op in graph.get_collection(v1.GraphKeys.TABLE_INITIALIZERS):
        if from_data := fed_in(graph, op.inputs):
            raise RequestError(f"the entries of a look-up table depend on the data ({from_data}); give it constants")
        with tf.init_scope():
            v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, graph.copied([op])[0])


def fed_in(graph: IsolatedGraph, tensors: Iterable[Any]) -> str:
    """Returns the name of an input of the call that tensors depend on; '' if there is none."""
    ops = upstream_ops([each.op for each in tensors])
    return next((op.name for op in ops if op in graph._given), "")
