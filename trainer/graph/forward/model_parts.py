"""Model and inference part of a graph, values that the constructor gives, state that inference changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError, describe, place_in
from trainer.graph.data.element_structure import NAMED, ElementStructure
from trainer.graph.forward.eager_only import remedy_for
from trainer.graph.forward.inference import Inference, build_inference
from trainer.graph.forward.model_calls import ModelCalls
from trainer.graph.forward.program_calls import calls_of
from trainer.graph.losses.metric_state import metric_variables, metrics_in
from trainer.graph.losses.side_losses import SideLosses
from trainer.graph.ops.state_ops import fed_ops, written
from trainer.graph.state.constructor_checks import (
    check_fits_a_graph,
    check_not_run_again,
    check_restores,
    check_starts_before_given,
    savers_in,
)
from trainer.graph.state.constructor_values import ConstructorValues, given_by, in_order_of_creation
from trainer.graph.state.inference_state import check_starts_anew, read_initial_state, start_from
from trainer.graph.state.keras_names import named_by_keras
from trainer.graph.state.table_checks import check_tables
from trainer.model import Model

v1 = tf.compat.v1
log = logging.getLogger(__name__)

SAVER_IN_CONSTRUCTOR = (
    "the constructor has made a Saver (%s); what it restores in a session of its own is not in this run: use "
    "tf.compat.v1.train.init_from_checkpoint, or warm_start.path"
)


@dataclass(frozen=True)
class ModelParts:
    """Model in an open graph.

    Args:
        calls: Calls of the model.
        inference: Inference part; it starts from the initial state in each call.
        given: Values that the constructor gives to variables, or layers when they are built.
        given_ops: Ops of model and layers that give them.
        side_losses: Losses that the model adds beside its own.
    """

    calls: ModelCalls
    inference: Inference
    given: ConstructorValues
    given_ops: tuple[Any, ...]
    side_losses: SideLosses

    @property
    def model(self) -> Model:
        """Model, whose variables are all there."""
        return self.calls.model


@named_by_keras()
def build_model_parts(
    make_model: Callable[[], Model],
    inputs: Mapping[str, Any],
    labels: Mapping[str, Any],
    structure: ElementStructure = NAMED,
) -> ModelParts:
    """Makes the model and builds its inference part in the default graph.

    Args:
        make_model: Function that makes the model.
        inputs: Specs of the inputs, ``tf.TensorSpec`` [None, ...] by name.
        labels: Specs of the labels, ``tf.TensorSpec`` [None, ...] by name.
        structure: Form in which the model gets inputs and labels.

    Raises:
        RequestError: The model cannot be made or does not accept this data, or its values or state cannot be kept.
    """
    graph = v1.get_default_graph()
    first = len(graph.get_operations())
    model = made("model", make_model)
    check_fits_a_graph(graph)
    called = len(graph.get_operations())
    side_losses = SideLosses(model)
    calls = calls_of(model, structure)
    inference = build_inference(calls, inputs, labels, side_losses)
    ops = graph.get_operations()
    check_restores(ops[first:])
    check_tables(ops[first:], graph)
    if savers := savers_in(ops[first:called]):
        log.warning(SAVER_IN_CONSTRUCTOR, ", ".join(savers))
    at_build, in_call = calls.split_at_build(ops[called:], lambda: _traced_again(calls, inference))
    fed = fed_ops(graph) if at_build else ()
    if from_data := next((op for op in at_build if op.name in fed), None):
        raise RequestError(
            f"{type(model).__name__} sets the variable {written(from_data)[0]!r} from the data of its first call, "
            "which a graph does not have; give the value in the constructor"
        )
    given_ops = [*given_by(ops[first:called], graph), *at_build]
    given = in_order_of_creation(given_ops, graph)
    # A metric that a model updates in its call is reset by the trainer, and no output depends on it.
    of_metrics = {each.op.name for metric in metrics_in(model) for each in metric_variables(metric)}
    state = tuple(dict.fromkeys(name for op in in_call for name in written(op) if name not in of_metrics))
    ends = [each.op for each in (*inference.outputs.values(), inference.loss)]
    if state:
        start_from(read_initial_state(state, graph, given.give), ops[called:])
        check_starts_anew(state, ends)
    check_starts_before_given(given_ops, graph)
    check_not_run_again(given_ops, ends)
    return ModelParts(calls, replace(inference, state=state), given, tuple(given_ops), side_losses)


def _traced_again(calls: ModelCalls, inference: Inference) -> Any:
    """Returns the graph of a function that calls the model once more, now that all its layers are built."""

    def again() -> Any:
        outputs = calls.outputs(inference.inputs, training=False, seed=tf.zeros([2], tf.int32), labels=inference.labels)
        return calls.loss(outputs, inference.labels).value

    return tf.function(again, autograph=False).get_concrete_function().graph


def made(argument: str, make: Callable[[], Any]) -> Any:
    """Calls a constructor and re-raises its exceptions as RequestError with the name of the object."""
    try:
        return make()
    except RequestError:
        raise
    except (Exception, SystemExit) as error:
        # Where a value is needed, TensorFlow's own words are advice for other programs.
        reason = remedy_for(error) or describe(error)
        raise RequestError(f"{argument} cannot be made: {reason}{place_in(error)}", argument=argument) from error
