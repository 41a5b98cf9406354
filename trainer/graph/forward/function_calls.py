"""Calls of a model that is a function of graph mode, each in a graph of its own."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.data.element_structure import NAMED, ElementStructure
from trainer.graph.forward.function_returns import Returned, as_op, as_returned, changed_by, check_runnable, gone
from trainer.graph.forward.isolated_graph import IsolatedGraph, fill_tables_outside
from trainer.graph.forward.model_calls import ModelCalls, refusing
from trainer.graph.forward.shared_variables import SharedVariables
from trainer.graph.losses.losses import Loss, as_tensors, loss_of
from trainer.graph.losses.side_losses import COLLECTIONS, OF_GET_VARIABLE
from trainer.graph.ops.behaviour import behave_as_tensorflow_2, needs_such_sizes, sizes_as_in_tensorflow_1
from trainer.graph.ops.dependencies import ancestors
from trainer.graph.ops.state_ops import changing_ops, written
from trainer.model import FunctionModel, ProgramModel, Tensors, name_of

v1 = tf.compat.v1
log = logging.getLogger(__name__)

SUMMARIES = "%s makes summaries (%s), which no one writes: return the values as metrics, in a dict after the loss"


class Called(dict[str, Any]):
    """Outputs by name, with all else that a call returned.

    Args:
        outputs: Outputs by name.
        loss: Loss of the batch; None for a call without labels.
        metrics: Metrics by name.
    """

    def __init__(self, outputs: Tensors, loss: Loss | None, metrics: Mapping[str, Any]) -> None:
        super().__init__(outputs)
        self.loss = loss
        self.metrics = metrics


@dataclass(frozen=True)
class Made:
    """A call in a graph of its own.

    Args:
        graph: Graph of the call.
        returned: Parts of what the function returned.
        loss: Loss as tensors; empty for a call without labels.
        side_losses: Losses in collections that the loss lacks.
        runs: Ops that an update runs, in groups that run one after the other, each on the variables that the ones
            before left.
    """

    graph: IsolatedGraph
    returned: Returned
    loss: Any
    side_losses: list[Any]
    runs: list[list[Any]]

    @property
    def all_runs(self) -> list[Any]:
        """Ops that an update runs."""
        return [op for group in self.runs for op in group]


class FunctionCalls(ModelCalls):
    """Calls of a function, which returns outputs, loss, metrics and train op together.

    Args:
        model: Model with the function.
        structure: Form in which the function gets the tensors.
    """

    def __init__(self, model: FunctionModel | ProgramModel, structure: ElementStructure = NAMED) -> None:
        super().__init__(model, structure)  # type: ignore[arg-type] # a function in place of methods
        self.trains_itself = False
        """Whether the function makes a train op; known when its loss has been asked for."""
        self._told = False
        self._takes_old_sizes = False
        behave_as_tensorflow_2()
        self._function: Callable[..., Any] = model.function if isinstance(model, FunctionModel) else model.program
        self._parameters = inspect.signature(self._function).parameters
        self._variables = SharedVariables(name_of(model))
        self._of_inference: frozenset[str] = frozenset()

    @property
    def only_in_training(self) -> frozenset[str]:
        """Names of the variables, not trainable, that only training makes: those of the function's optimizer."""
        trainable = {variable.op.name for variable in v1.trainable_variables()}
        return self._variables.names - self._of_inference - trainable

    def train_only(self, names: Collection[str]) -> None:
        """Lets the function find only these variables trainable from now on."""
        self._variables.trained = frozenset(names)

    def outputs(self, inputs: Tensors, *, training: bool, seed: Any, labels: Tensors | None = None) -> dict[str, Any]:
        """Calls the function; with labels it returns ``Called``."""
        called = self._call(inputs, labels, training=training, seed=seed)
        if not self._variables.has_all_trainable:
            self._of_inference = self._variables.names
        return called

    def loss(self, outputs: Tensors, labels: Tensors, inputs: Tensors | None = None) -> Loss:
        """Returns the loss of a call; for outputs without one, calls the function on the inputs again."""
        if isinstance(outputs, Called) and outputs.loss is not None:
            return outputs.loss
        if inputs is None:
            raise ValueError("a function computes its loss from the inputs")
        self._try_training(inputs, labels)
        with tf.name_scope("with_labels"):
            called = self._call(inputs, labels, training=False, seed=tf.zeros([2], tf.int32))
        self._variables.is_complete = True
        return self.loss(called, labels)

    def split_at_build(self, ops: Sequence[Any], trace: Callable[[], Any]) -> tuple[list[Any], list[Any]]:
        """Returns no ops: what the inference part of a function holds is what its outputs need.

        Raises:
            RequestError: Outputs or loss depend on a change of a variable.
        """
        del trace
        for op in changing_ops(ops, v1.get_default_graph()):
            raise RequestError(
                f"{self._name} changes the variable {written(op)[0]!r} when it is called with training=False, and its "
                f"outputs depend on that ({op.name}); change it only where training is true"
            )
        return [], []

    def given(self, outputs: Tensors) -> Collection[Any]:
        """Returns the ops that the outputs of a call come from."""
        if isinstance(outputs, Called) and outputs.loss is not None and outputs.loss.given is not None:
            return outputs.loss.given
        return super().given(outputs)

    def metrics(self, outputs: Tensors, labels: Tensors) -> Mapping[str, Any]:
        """Returns the metrics of a call by name."""
        del labels
        return outputs.metrics if isinstance(outputs, Called) else {}

    def _call(self, inputs: Tensors, labels: Tensors | None, *, training: bool, seed: Any) -> Called:
        """Calls the function in a graph of its own and copies what is needed into the default graph."""
        made = self._make(inputs, labels, training=training, seed=seed)
        # Random numbers in training are those of the step; in an export they are drawn anew each time.
        return self._copied(made, seed if training else None, labels)

    def _make(self, inputs: Tensors, labels: Tensors | None, *, training: bool, seed: Any) -> Made:
        """Makes a call; code that reads ``shape[i].value`` gets the sizes that it was written for."""
        try:
            with sizes_as_in_tensorflow_1() if self._takes_old_sizes else contextlib.nullcontext():
                return self._made(inputs, labels, training=training, seed=seed)
        except RequestError as error:
            if self._takes_old_sizes or not needs_such_sizes(error.__cause__):
                raise
        self._takes_old_sizes = True
        return self._make(inputs, labels, training=training, seed=seed)

    def _made(self, inputs: Tensors, labels: Tensors | None, *, training: bool, seed: Any) -> Made:
        graph = IsolatedGraph(self._name, self._variables.collections())
        fed = {name: graph.stand_in(name, tensor) for name, tensor in inputs.items()}
        compared = None if labels is None else {name: graph.stand_in(name, each) for name, each in labels.items()}
        extra = {"seed": graph.stand_in("seed", seed)} if "seed" in self._parameters else {}
        with graph.as_default(), self._variables.shared(graph):
            returned = self._returned(fed, compared, training, extra)
            check_runnable(self._name, graph, returned.values)
            loss, side_losses = ([], []) if compared is None else self._losses(returned, graph)
        fill_tables_outside(graph)
        self._tell(graph)
        runs = [self._runs(graph, returned)] if training and compared is not None else []
        return Made(graph, returned, loss, side_losses, runs)

    def _try_training(self, inputs: Tensors, labels: Tensors) -> None:
        """Makes the variables of training, and finds out whether there is a train op."""
        made = self._make(inputs, labels, training=True, seed=tf.zeros([2], tf.int32))
        self.trains_itself = bool(made.returned.train_ops)
        if self.trains_itself and not changed_by(made.graph, made.all_runs):
            raise RequestError(
                f"the train op of {self._name} changes no variable; return the op of the optimizer's minimize"
            )
        self._variables.has_all_trainable = True

    def _returned(self, fed: Tensors, compared: Tensors | None, training: bool, extra: dict[str, Any]) -> Returned:
        labels = None
        if compared is not None:
            labels = self._structure.labels(compared)
            if (weights := self._structure.weights(compared)) is not None:
                extra |= {"sample_weight": self._taken_weights(weights)}
        with refusing(self.model, "cannot be called with", {**fed, **(compared or {})}):
            try:
                returned = self._function(self._structure.inputs(fed), labels, training, **extra)
            except (AttributeError, ImportError) as error:
                raise gone(self._name, error) from error
            return as_returned(self._name, returned, with_loss=compared is not None)

    def _taken_weights(self, weights: Any) -> Any:
        if "sample_weight" not in self._parameters:
            raise RequestError(
                f"the data has sample weights, and {self._name} has no parameter sample_weight; add it, or leave them "
                "out of the data"
            )
        return weights

    def _losses(self, returned: Returned, graph: IsolatedGraph) -> tuple[Any, list[Any]]:
        """Returns the loss as tensors, and the losses in collections that it lacks; a train op of its own has them."""
        with refusing(self.model, "cannot compute its loss from", {}):
            own = as_tensors(returned.loss)
            if returned.train_ops or self.trains_itself:
                return own, []
            found = [tf.convert_to_tensor(each) for key in COLLECTIONS for each in graph.get_collection(key)]
        contained = ancestors(tf.nest.flatten(own))
        return own, [each for each in found if each.op not in contained]

    def _runs(self, graph: IsolatedGraph, returned: Returned) -> list[Any]:
        """Returns the ops that an update runs: the train op, or what belongs to the optimizer of the config."""
        if returned.train_ops:
            return list(returned.train_ops)
        return [as_op(each) for each in graph.get_collection(v1.GraphKeys.UPDATE_OPS)]

    def _copied(self, made: Made, seed: Any, labels: Tensors | None) -> Called:
        before = set(v1.get_default_graph().get_operations())
        values = [made.returned.outputs, made.returned.metrics, made.loss, made.side_losses]
        flat = tf.nest.flatten(values)
        step = self._variables.step
        counted = step.read_value() if step.op.name in changed_by(made.graph, made.all_runs) else None
        if unfed := made.graph.unfed([*flat, *made.all_runs]):
            raise self._unfed(unfed[0], "loss, metrics and train op" if labels is not None else "outputs")
        first, *others = made.runs or [[]]
        copies = made.graph.copied([*flat, *first], seed)
        for number, group in enumerate(others, start=1):
            # Ops are copied in the order in which they run: this group computes all anew from what the last one left.
            made.graph.copied(group, None if seed is None else tf.random.experimental.stateless_fold_in(seed, number))
        if counted is not None:
            # The trainer counts the steps itself, whether the function does or not.
            step.assign(counted)
        outputs, metrics, tensors, side_losses = tf.nest.pack_sequence_as(values, copies[: len(flat)])
        if labels is None:
            return Called(outputs, None, metrics)
        for copy, original in zip(side_losses, made.side_losses, strict=True):
            # Its name must not be that of a loss which lasts as long as a variable.
            name = original.op.name.replace(OF_GET_VARIABLE, OF_GET_VARIABLE.lower())
            v1.add_to_collection(v1.GraphKeys.LOSSES, tf.identity(copy, name=name))
        given = before | ancestors(outputs.values())
        data = {each.op for each in (*outputs.values(), *labels.values())}
        loss = loss_of(self._name, tensors, given, data)
        return Called(outputs, replace(loss, given=given), metrics)

    def _unfed(self, name: str, what: str) -> RequestError:
        return RequestError(
            f"the {what} of {self._name} need its placeholder {name!r}, which nothing feeds; take the tensors of its "
            "arguments inputs and labels"
        )

    def _tell(self, graph: IsolatedGraph) -> None:
        summaries = [each.op.name for each in graph.get_collection(v1.GraphKeys.SUMMARIES)]
        if summaries and not self._told:
            self._told = True
            log.info(SUMMARIES, self._name, ", ".join(summaries[:3]))
