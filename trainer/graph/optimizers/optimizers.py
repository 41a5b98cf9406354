"""Common interface to the optimizers of Keras 3 and of ``tf.compat.v1.train``."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import matching
from trainer.errors import RequestError, describe, place_in
from trainer.graph.losses.side_losses import layers_of
from trainer.graph.ops.equality import compared_by_value
from trainer.graph.ops.variables import variables_by_name
from trainer.graph.optimizers.whole_tables import tables_written_whole

v1 = tf.compat.v1
log = logging.getLogger(__name__)

SCALED = (
    "the loss is scaled as keras.Model.fit does it, because the model has layers of the policy mixed_float16: a step "
    "whose gradients are not finite is skipped (optimizer.loss_scale_factor=1.0 leaves the loss as it is)"
)
NOT_SCALED = (
    "the model has layers of the policy mixed_float16, and %s does not scale the loss: small gradients may become 0; "
    "use a Keras optimizer, whose loss is scaled, or tf.compat.v1.mixed_precision.MixedPrecisionLossScaleOptimizer"
)


class OptimizerStep:
    """Steps of one optimizer over its variables; they leave the global step as it is.

    Make it while the graph is open: a Keras optimizer makes its slots at once.

    Args:
        optimizer: Optimizer of Keras 3 or of ``tf.compat.v1.train``, or an instance of a subclass.
        variables: Variables to update.
        global_step: Variable of the number of updates, int64 scalar.
        scope: Scope of the variables that the optimizer makes in a step beside its slots; '' for none.

    Raises:
        RequestError: The optimizer is neither of the two, or cannot train these variables.
    """

    def __init__(self, optimizer: Any, variables: Sequence[Any], global_step: Any, scope: str = "") -> None:
        _check_kind(optimizer)
        self._optimizer = optimizer
        self.kind = type(optimizer).__name__
        """Name of the optimizer's class."""
        self.variables = list(variables)
        self.made: set[str] = set()
        """Names of the variables that the optimizer made in a step, such as its slots."""
        self.whole: list[str] = []
        """Names of large tables of which a step writes more than the rows that a batch touches."""
        self._global_step = global_step
        self._scope = scope
        self._is_keras = isinstance(optimizer, keras.optimizers.Optimizer)
        if self._is_keras:
            with _refusing(optimizer):
                optimizer.build(_as_built(optimizer, self.variables))

    @property
    def makes_gradients(self) -> bool:
        """True where the optimizer's class computes gradients in its own way."""
        return not self._is_keras and (
            _of_a_user(self._optimizer, "minimize")
            or type(self._optimizer).compute_gradients is not v1.train.Optimizer.compute_gradients
        )

    def scaled(self, loss: Any) -> Any:
        """Returns the loss whose gradients the optimizer takes."""
        with _refusing(self._optimizer):
            return self._optimizer.scale_loss(loss) if self._is_keras else loss

    def apply(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Adds the update of variables; call it inside a ``tf.function``.

        Args:
            pairs: Gradients of the scaled loss, and their variables.

        Raises:
            RequestError: The optimizer cannot train these variables.
        """
        graph = v1.get_default_graph()
        before = len(graph.get_operations())
        with _refusing(self._optimizer), self._scoped():
            if self._is_keras:
                self._optimizer.apply_gradients(list(pairs))
            else:
                apply = self._optimizer.apply_gradients
                with self._uncounted(apply) as given:
                    apply(list(pairs), **given)
        self.whole += tables_written_whole(pairs, graph.get_operations()[before:])

    def lower(self, loss: Any, variables: Sequence[Any]) -> None:
        """Adds an update in the way of an optimizer that makes its gradients; it gets what a session loop gives.

        Args:
            loss: Float scalar, not scaled.
            variables: Variables to update.
        """
        optimizer = self._optimizer
        with _refusing(optimizer), self._scoped():
            if _of_a_user(optimizer, "minimize"):
                with self._uncounted(optimizer.minimize) as given:
                    optimizer.minimize(loss, **given, var_list=list(variables))
                return
            computed = optimizer.compute_gradients(loss, var_list=list(variables))
        self.apply([(gradient, variable) for gradient, variable in computed if gradient is not None])

    @contextlib.contextmanager
    def _scoped(self) -> Iterator[None]:
        graph = self._global_step.graph
        known = set(variables_by_name(graph))
        with tf.name_scope(f"{self._scope}/") if self._scope else contextlib.nullcontext():
            yield
        self.made |= set(variables_by_name(graph)) - known

    @contextlib.contextmanager
    def _uncounted(self, method: Any) -> Iterator[dict[str, Any]]:
        """Gives a user's method the global step where it takes one: it may count it, more than once, or not at all."""
        if _of_a_user(self._optimizer, method.__name__):
            before = self._global_step.read_value()
            yield _step_for(method, self._global_step)
            self._global_step.assign(before)
        else:
            yield {}


def scaled_for_float16(optimizer: Any, model: Any, name: str = "loss_scale_optimizer") -> Any:
    """Returns the optimizer with a dynamic loss scale where ``keras.Model.compile`` would add one; says so.

    Args:
        optimizer: Optimizer of the model's variables.
        model: Model, searched for Keras layers.
        name: Name of the optimizer with the scale, the scope of its variables.
    """
    if not any(layer.dtype_policy.name == "mixed_float16" for layer in layers_of(model)):
        return optimizer
    scales = (keras.optimizers.LossScaleOptimizer, v1.mixed_precision.MixedPrecisionLossScaleOptimizer)
    if isinstance(optimizer, scales) or getattr(optimizer, "loss_scale_factor", None) is not None:
        return optimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        log.warning(NOT_SCALED, type(optimizer).__name__)
        return optimizer
    log.info("%s", SCALED)
    return keras.optimizers.LossScaleOptimizer(optimizer, name=name)


def skips_steps(optimizer: Any) -> bool:
    """Returns whether an optimizer leaves out a step whose gradients are not finite."""
    return isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer | v1.mixed_precision.MixedPrecisionLossScaleOptimizer
    )


def rate_variable(optimizer: Any) -> Any:
    """Returns the variable of a Keras optimizer's constant learning rate, part of each checkpoint, or None."""
    rate = getattr(optimizer, "learning_rate", None)
    return rate.value if isinstance(rate, keras.Variable) else None


def exclude_from_weight_decay(
    optimizer: Any, patterns: Sequence[str], argument: str = "optimizer.exclude_from_weight_decay"
) -> None:
    """Excludes trainable variables of the default graph from a Keras optimizer's weight decay.

    Args:
        optimizer: Optimizer, not built yet, with ``weight_decay``.
        patterns: Names or patterns of variables, such as ``*/bias``.
        argument: Name of the setting, for messages.

    Raises:
        RequestError: The optimizer has no weight decay, or a pattern matches no variable.
    """
    decaying = getattr(optimizer, "inner_optimizer", optimizer)
    if getattr(decaying, "weight_decay", None) is None:
        raise RequestError(
            f"exclude_from_weight_decay needs an optimizer with weight_decay, such as keras.optimizers.AdamW; "
            f"{type(decaying).__name__} has none here",
            argument=argument,
        )
    variables = {variable.op.name: variable for variable in v1.trainable_variables()}
    try:
        chosen = {name for each in patterns for name in matching(argument, each, variables)}
    except ValueError as error:
        raise RequestError(str(error), argument=argument) from error
    decaying.exclude_from_weight_decay(var_list=[variables[name] for name in sorted(chosen)])


def _check_kind(optimizer: Any) -> None:
    if not isinstance(optimizer, keras.optimizers.Optimizer | v1.train.Optimizer):
        raise RequestError(
            f"optimizer is a {type(optimizer).__name__}; it must be a Keras optimizer (keras.optimizers.Adam) or a "
            "graph-mode optimizer (tensorflow.compat.v1.train.AdamOptimizer)",
            argument="optimizer",
        )
    if isinstance(optimizer, v1.train.SyncReplicasOptimizer):
        raise RequestError(
            "optimizer is a SyncReplicasOptimizer, which waits for other workers' gradients through queues that this "
            "trainer does not run; use the optimizer that it wraps",
            argument="optimizer",
        )
    finalize = getattr(type(optimizer), "finalize_variable_values", None)
    if finalize is not None and not finalize.__module__.startswith("keras."):
        raise RequestError(
            f"{type(optimizer).__name__} overrides finalize_variable_values, which keras.Model.fit calls after the "
            "last step and this trainer does not; keep averages with use_ema, or update the variables in the steps",
            argument="optimizer",
        )


def _as_built(optimizer: Any, variables: list[Any]) -> list[Any]:
    """Returns the variables in the form that the optimizer's ``build`` takes: Adafactor names slots by a bare name."""
    if not isinstance(getattr(optimizer, "inner_optimizer", optimizer), keras.optimizers.Adafactor):
        return variables
    return [keras.Variable(each, name=each.op.name.replace("/", "_"), dtype=each.dtype) for each in variables]


def _of_a_user(optimizer: Any, method: str) -> bool:
    """Returns whether the method comes from a class outside TensorFlow."""
    return not getattr(type(optimizer), method).__module__.startswith("tensorflow.")


def _step_for(method: Any, global_step: Any) -> dict[str, Any]:
    return {"global_step": global_step} if "global_step" in inspect.signature(method).parameters else {}


@contextlib.contextmanager
def _refusing(optimizer: Any) -> Iterator[None]:
    """Re-raises an optimizer's exception as RequestError: it happens while the graph is built."""
    try:
        # Keras's options depend on comparisons such as (step + 1) % gradient_accumulation_steps == 0.
        with compared_by_value():
            yield
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            f"{type(optimizer).__name__} cannot train this model: {describe(error)}{place_in(error)}",
            argument="optimizer",
        ) from error
