"""Losses and metrics of ``keras.Model.compile``, taken from a net and given to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import keras
import tensorflow as tf

from trainer.checks import suggestion
from trainer.errors import RequestError

v1 = tf.compat.v1
log = logging.getLogger(__name__)

STEPS = ("train_step", "test_step", "make_train_function", "make_test_function")
"""Methods that ``fit`` calls and the trainer does not."""

ANY_CROSSENTROPY = ("crossentropy", "ce")
ANY_ACCURACY = ("accuracy", "acc")
"""Names for which ``compile`` chooses by the shapes of outputs and labels."""


@dataclass(frozen=True)
class Compiled:
    """Arguments of ``keras.Model.compile``.

    Args:
        loss: Losses by output, or one for all.
        loss_weights: Weights of the losses.
        metrics: Metrics by output.
        weighted_metrics: Metrics to which sample weights apply.
    """

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None


def compiled(net: keras.Model, given: Compiled, output_names: Sequence[str] | None = None) -> Compiled:
    """Compiles a net in the open graph without an optimizer, and returns what it was compiled with.

    Args:
        net: Net, perhaps compiled before; what is not given is taken from there.
        given: Settings that are not None hold.
        output_names: Names of the outputs, in order; None for those of Keras.

    Raises:
        RequestError: A loss or a metric has an unknown name.
    """
    before = settings_of(net)
    # New losses have weights of their own.
    own = before if given.loss is None else replace(before, loss_weights=None)
    chosen = {each.name: getattr(given, each.name) for each in fields(Compiled)}
    settings = replace(own, **{name: value for name, value in chosen.items() if value is not None})
    _check_names("loss", settings.loss, keras.losses.get, keras.losses, ANY_CROSSENTROPY)
    for name in ("metrics", "weighted_metrics"):
        _check_names(name, getattr(settings, name), keras.metrics.get, keras.metrics, ANY_ACCURACY)
    if optimizer := getattr(net, "optimizer", None):
        log.info("losses and metrics are those of compile; its optimizer %s gives way to the run's", optimizer.name)
        _forget(variable.value for variable in optimizer.variables)
    _forget_loss_tracker(net)
    net.compile(optimizer=None, **vars(settings))
    _forget_loss_tracker(net)
    if output_names is not None:
        for each in (net._compile_loss, net._compile_metrics):
            if each is not None:
                each.output_names = list(output_names)
    return settings


def settings_of(net: keras.Model) -> Compiled:
    """Returns the losses and metrics that a net was compiled with; none if it was not."""
    config = getattr(getattr(net, "_compile_config", None), "config", None) or {}
    return Compiled(**{each.name: config.get(each.name) for each in fields(Compiled)})


def check_trains_as_in_fit(net: keras.Model) -> None:
    """Refuses a net whose class replaces the step of ``fit``.

    Raises:
        RequestError: There is such a method.
    """
    for name in STEPS:
        if not getattr(type(net), name).__module__.startswith("keras."):
            raise RequestError(
                f"{type(net).__name__} overrides {name}, which keras.Model.fit calls and this trainer does not; "
                "override compute_loss or compute_metrics, or write a class with __call__ and loss around the net",
                argument="net",
            )


def _check_names(key: str, value: Any, get: Callable[[str], Any], module: Any, more: Sequence[str]) -> None:
    for each in keras.tree.flatten(value):
        if not isinstance(each, str) or each.lower() in more:
            continue
        try:
            get(each)
        except (ValueError, TypeError) as error:
            known = [name for name in dir(module) if not name.startswith("_") and name not in ("get", "serialize")]
            raise RequestError(
                f"{key} ({each!r}) is no name in {module.__name__}; {suggestion(each, [*known, *more])}", argument=key
            ) from error


def _forget_loss_tracker(net: keras.Model) -> None:
    tracker = getattr(net, "_loss_tracker", None)
    if tracker is not None:
        _forget(variable.value for variable in tracker.variables)
        net._loss_tracker = None


def _forget(variables: Iterable[Any]) -> None:
    """Takes variables that no step uses out of the default graph's collections, and so out of checkpoints."""
    graph, useless = v1.get_default_graph(), {id(each) for each in variables}
    for key in graph.collections:
        collection = graph.get_collection_ref(key)
        collection[:] = [each for each in collection if id(each) not in useless]
