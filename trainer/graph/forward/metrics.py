"""Metrics of a model: means over batches, pairs (numerator, denominator), and Keras metrics."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.errors import RequestError, place_in
from trainer.graph.forward.model_calls import ModelCalls, refusing
from trainer.graph.losses.losses import LOSS, Loss, check_metric_name
from trainer.graph.losses.metric_columns import MetricColumns
from trainer.graph.losses.metric_form import curved_at, quotient
from trainer.graph.losses.metric_state import (
    MetricState,
    assigned,
    captured,
    metric_variables,
    metrics_in,
    sources_of,
    updated,
)
from trainer.graph.state.keras_names import named_by_keras
from trainer.model import Tensors

v1 = tf.compat.v1

FORMS = (
    "return a scalar (the mean over the batch), a pair (numerator, denominator) of sums over the batch, or a "
    "keras.metrics object of the constructor after its update_state(...)"
)
MADE_TOO_OFTEN = "singleton tf.Variables"
"""Text in TensorFlow's error where a function makes variables each time it is traced."""

RANDOM_STATE = "seed_generator_state"
"""Suffix of the Keras variables that hold the state of random ops."""


@dataclass(frozen=True)
class Measured:
    """Loss and metrics of a batch.

    Args:
        columns: Names of the columns, and how their values over many batches come about.
        row: Values of the columns, float32 [columns].
        curved: Type of the op after which a metric is no mean over examples, by name of the metric.
    """

    columns: MetricColumns
    row: Any
    curved: Mapping[str, str]


class ModelMetrics:
    """Metrics of a model, read in each ``tf.function`` that calls it.

    The constructor traces ``metrics`` once and throws the trace away, because some Keras metrics make
    their variables when they are first updated.

    Args:
        calls: Calls of the model, whose method ``metrics`` is optional.
        outputs: Outputs of the model, tensors [batch, ...] by name.
        labels: Labels, tensors [batch, ...] by name.

    Raises:
        RequestError: The model raised, or its metrics make variables in each call.
    """

    @named_by_keras()
    def __init__(self, calls: ModelCalls, outputs: Tensors, labels: Tensors) -> None:
        self._calls = calls
        self._model = calls.model
        self._name = f"{type(calls.model).__name__}.metrics"
        returned: list[keras.metrics.Metric] = []

        def trace() -> None:
            values = calls.metrics(outputs, labels).values()
            returned[:] = [each for each in values if isinstance(each, keras.metrics.Metric)]

        try:
            tf.function(trace, autograph=False).get_concrete_function()
        except RequestError as error:
            raise self._made_too_often(error) if MADE_TOO_OFTEN in str(error) else error from error
        held = {id(metric): metric for metric in [*metrics_in(calls.model), *returned]}
        self.state = MetricState(list(held.values()))

    def measure(self, outputs: Tensors, labels: Tensors, loss: Loss, examples: Any = None) -> Measured:
        """Returns the loss and the metrics of a batch; must be called while a ``tf.function`` is traced.

        Args:
            outputs: Outputs of the model, tensors [batch, ...] by name.
            labels: Labels, tensors [batch, ...] by name.
            loss: Loss of the batch.
            examples: Weight of the batch in the other means, its number of examples, an int scalar; None if all
                are equal.

        Raises:
            RequestError: The model raised, a metric has none of the forms, or its name is reserved or that of a loss.
        """
        before, given = set(v1.get_default_graph().get_operations()), self._calls.given(outputs)
        return self._measured(loss, self._calls.metrics(outputs, labels), before, examples, given)

    def of(self, method: str) -> ModelMetrics:
        """Returns the same metrics under the name of another method of the model, for messages."""
        other = copy.copy(self)
        other._name = f"{type(self._model).__name__}.{method}"
        return other

    def measure_own(self, loss: Loss, returned: Mapping[str, Any], examples: Any = None) -> Measured:
        """Returns the loss and the metrics that the model's own training step returned.

        Args:
            loss: Loss of the batch.
            returned: Metrics by name, in the forms of ``metrics``.
            examples: Weight of the batch in the other means, as for ``measure``.

        Raises:
            RequestError: A metric has none of the forms, or its name is reserved.
        """
        return self._measured(loss, returned, set(v1.get_default_graph().get_operations()), examples)

    def _measured(
        self,
        loss: Loss,
        metrics: Mapping[str, Any],
        before: Collection[Any],
        examples: Any,
        given: Collection[Any] | None = None,
    ) -> Measured:
        given = before if given is None else given
        values: dict[str, Any] = {LOSS: tf.cast(loss.value, tf.float32)}
        values |= {name: tf.cast(part.value, tf.float32) for name, part in loss.parts.items()}
        pairs: dict[str, list[Any]] = {}
        for name, each in {LOSS: loss, **loss.parts}.items():
            if each.weight is not None:
                weight = tf.cast(each.weight, tf.float32)
                pairs[name] = [values[name] * weight, weight]
        running, no_nan, curved = [], [], {}
        for name, returned in metrics.items():
            check_metric_name(self._name, name)
            if name in loss.parts:
                raise RequestError(f"{self._name} returned {name!r}, which is the name of a loss; rename one of them")
            if isinstance(returned, tuple | list):
                pairs[name] = self._pair(name, returned)
                values[name] = tf.divide(*pairs[name])
                continue
            values[name] = self._scalar(name, self._result_of(name, returned))
            if self._is_running(name, values[name]):
                running.append(name)
            elif parts := quotient(values[name], given):
                pairs[name] = [tf.cast(part, tf.float32) for part in (parts.numerator, parts.denominator)]
                no_nan += [name] if parts.no_nan else []
            elif op_type := curved_at(values[name], given):
                curved[name] = op_type
        self._check_states(values, before)
        if examples is not None:
            pairs |= _weighted({name: values[name] for name in values if name not in {*pairs, *running}}, examples)
        columns = MetricColumns(tuple(values), tuple(pairs), tuple(running), tuple(no_nan), tuple(loss.parts))
        sums = [part for pair in pairs.values() for part in pair]
        return Measured(columns, tf.stack([*values.values(), *sums]), curved)

    def _result_of(self, name: str, returned: Any) -> Any:
        """Returns the result of a Keras metric, and anything else as it is."""
        if returned is None:
            raise RequestError(f"{self._name} returned None for {name!r} (update_state returns nothing); {FORMS}")
        if not isinstance(returned, keras.metrics.Metric):
            return returned
        if not metric_variables(returned):
            raise RequestError(f"the metric {name!r} has no variables to take in batches; make them with add_variable")
        with refusing(self._model, f"cannot compute the result of its metric {name!r} from", {}):
            result = returned.result()
        if isinstance(result, Mapping):
            raise RequestError(
                f"the result of the metric {name!r} is a dict ({', '.join(result)}); return an entry for each part, "
                f"such as {name}.result()[{next(iter(result), '')!r}]"
            )
        return result

    def _pair(self, name: str, returned: Any) -> list[Any]:
        if len(returned) != 2:
            raise RequestError(f"{self._name} returned {len(returned)} values for {name!r}; {FORMS}")
        parts = [self._scalar(name, part) for part in returned]
        if any(self._sources(part) for part in parts):
            raise RequestError(
                f"{self._name} returned a pair for {name!r} that is computed from the state of a Keras metric, which "
                "has taken in all batches so far; return the metric itself"
            )
        return parts

    def _scalar(self, name: str, returned: Any) -> Any:
        with refusing(self._model, f"returned something other than numbers as its metric {name!r} from", {}):
            value = tf.convert_to_tensor(returned)
        if value.shape.rank != 0 or not (value.dtype.is_floating or value.dtype.is_integer or value.dtype.is_bool):
            raise RequestError(f"{self._name} returned {name!r} as {value.dtype.name} of shape {value.shape}; {FORMS}")
        return tf.cast(value, tf.float32)

    def _is_running(self, name: str, value: Any) -> bool:
        """Returns whether a value comes from the state of Keras metrics."""
        sources = self._sources(value)
        if sources and not sources & updated(value.graph, self.state.variables):
            raise RequestError(
                f"{self._name} returned {name!r}, but nothing updates that metric; call its update_state(...) first"
            )
        return bool(sources)

    def _sources(self, value: Any) -> set[str]:
        return sources_of(value, captured(value.graph, self.state.variables))

    def _check_states(self, values: Mapping[str, Any], before: Collection[Any]) -> None:
        """Refuses a metric with a state of its own, which nothing would reset.

        Args:
            values: Values of the metrics, scalars by name.
            before: Ops of the function before the metrics were computed.
        """
        graph, known = v1.get_default_graph(), set(self.state.names)
        others = [each for each in v1.global_variables() if each.op.name not in known]
        changed = assigned(graph, [each for each in others if not each.op.name.endswith(RANDOM_STATE)], before)
        for name, value in values.items():
            if changed and (found := sources_of(value, {each: captured(graph, others)[each] for each in changed})):
                raise RequestError(
                    f"{self._name} changes {', '.join(sorted(found))} and computes {name!r} from it; nothing resets "
                    "that for an epoch or an evaluation: make a subclass of keras.metrics.Metric, or return a pair "
                    "(numerator, denominator) of the batch"
                )

    def _made_too_often(self, error: RequestError) -> RequestError:
        return RequestError(
            f"{self._name} makes variables in each call, as tf.compat.v1.metrics and a keras.metrics object made there "
            f"do{place_in(error.__cause__ or error)}; make a keras.metrics object in the constructor, call its "
            "update_state(...) in metrics, and return it"
        )


def _weighted(means: Mapping[str, Any], examples: Any) -> dict[str, list[Any]]:
    """Returns means over a batch as pairs of a sum and the number of examples."""
    count = tf.cast(examples, tf.float32)
    return {name: [mean * count, count] for name, mean in means.items()}
