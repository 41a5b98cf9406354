"""Config keys by the arguments that they set, for error messages of rooms that know no config."""

from __future__ import annotations

import re

from trainer.errors import NonFiniteError, RequestError

CONFIG_KEYS = {
    "batch_size": "data.batch_size",
    "batched": "data.batched",
    "bucket_boundaries": "data.bucket_boundaries",
    "class_weight": "model.class_weight",
    "compile": "loop.compile",
    "data": "data._target_",
    "data.channels": "data.channels",
    "data.classes": "data.classes",
    "data.inputs": "data.inputs",
    "data.path": "data.path",
    "data.size": "data.size",
    "data.steps_per_epoch": "data.steps_per_epoch",
    "data.validation_steps": "data.validation_steps",
    "dataset": "data.dataset",
    "dataset.inputs": "data.dataset.inputs",
    "dataset.labels": "data.dataset.labels",
    "dataset.path": "data.dataset.path",
    "examples": "data.examples",
    "inputs": "data.examples.inputs",
    "labels": "data.examples.labels",
    "loss": "model.loss",
    "max_examples": "data.max_examples",
    "metrics": "model.metrics",
    "model": "model._target_",
    "net": "model.net",
    "optimizer": "optimizer._target_",
    "pad": "data.pad",
    "output_names": "model.output_names",
    "path": "data.examples.path",
    "pinned": "callbacks.checkpoint.pinned",
    "precision": "precision",
    "resume": "resume",
    "root": "run.root",
    "run_dir": "run.dir",
    "save_position": "data.save_position",
    "shuffle": "data.shuffle",
    "shuffle_buffer": "data.shuffle_buffer",
    "trainable": "trainable",
    "trust": "trust",
    "trunk": "model.trunk",
    "trunk.constants": "model.trunk.constants",
    "trunk.input_map": "model.trunk.input_map",
    "trunk.outputs": "model.trunk.outputs",
    "trunk.path": "model.trunk.path",
    "trunk.prefix": "model.trunk.prefix",
    "trunk.trainable": "model.trunk.trainable",
    "validation": "data.validation",
    "warm_start.path": "warm_start.path",
    "weighted_metrics": "model.weighted_metrics",
}
"""Config key by the argument of a RequestError; only arguments of the data have no prefix."""

CALLBACK = re.compile(r"callbacks\.\w+")
"""Argument of an error about a callback: the whole callback, or a setting below it."""

NOT_FINITE = "lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback"
"""Remedy for a loss or a variable that is not finite, in config keys."""


def with_key(error: Exception) -> str:
    """Returns the message of an error with the config key to change after its first line.

    Args:
        error: Error to report. Its message is unchanged if the key is unknown or already in it.

    Example:
        >>> with_key(RequestError("compile='xla' needs data in memory", argument="compile"))
        "compile='xla' needs data in memory [loop.compile]"
        >>> with_key(RequestError("callbacks.freeze: it cannot be exported", argument="callbacks.freeze"))
        'callbacks.freeze: it cannot be exported [~callbacks.freeze leaves it out]'
        >>> with_key(NonFiniteError("loss", "nan", 7))
        'loss is nan after step 7 [lower optimizer.learning_rate, or set callbacks.nan_guard.action=rollback]'
        >>> with_key(RequestError("there is no such run"))
        'there is no such run'
    """
    message, hint = str(error), _hint(error)
    if not hint or hint in message:
        return message
    first, newline, rest = message.partition("\n")
    return f"{first} [{hint}]{newline}{rest}"


def _hint(error: Exception) -> str:
    if isinstance(error, NonFiniteError):
        return NOT_FINITE
    argument = error.argument if isinstance(error, RequestError) else ""
    if CALLBACK.fullmatch(argument):
        return f"~{argument} leaves it out"
    return CONFIG_KEYS.get(argument, argument if CALLBACK.match(argument) else "")
