"""Keys of the config by the arguments that they set, for messages of parts that know no config."""

from __future__ import annotations

import re

from trainer.errors import RequestError

CONFIG_KEYS = {
    "batch_size": "data.batch_size",
    "compile": "loop.compile",
    "data": "data._target_",
    "data.steps_per_epoch": "data.steps_per_epoch",
    "dataset": "data.dataset",
    "dataset.path": "data.dataset.path",
    "examples": "data.examples",
    "inputs": "data.examples.inputs",
    "labels": "data.examples.labels",
    "max_examples": "data.max_examples",
    "model": "model._target_",
    "optimizer": "optimizer._target_",
    "path": "data.examples.path",
    "save_position": "data.save_position",
    "shuffle": "data.shuffle",
    "shuffle_buffer": "data.shuffle_buffer",
    "trainable": "trainable",
    "trunk": "model.trunk",
    "trunk.input_map": "model.trunk.input_map",
    "trunk.outputs": "model.trunk.outputs",
    "trunk.path": "model.trunk.path",
    "trunk.prefix": "model.trunk.prefix",
    "trunk.trainable": "model.trunk.trainable",
    "validation": "data.validation",
    "warm_start.path": "warm_start.path",
}
"""Argument of a RequestError to the key that sets it. Only arguments of data have no prefix."""

CALLBACK = re.compile(r"callbacks\.\w+")
"""The argument of an error that is about a whole callback."""


def with_key(error: Exception) -> str:
    """Returns the message of an error, its first line followed by the config key to change.

    Args:
        error: Error to tell; one that names no argument of a key, or the key itself, stays as it is.

    Example:
        >>> with_key(RequestError("compile='xla' needs data in memory", argument="compile"))
        "compile='xla' needs data in memory [loop.compile]"
        >>> with_key(RequestError("callbacks.freeze: it cannot be exported", argument="callbacks.freeze"))
        'callbacks.freeze: it cannot be exported [~callbacks.freeze leaves it out]'
        >>> with_key(RequestError("there is no such run"))
        'there is no such run'
    """
    message = str(error)
    argument = error.argument if isinstance(error, RequestError) else ""
    if CALLBACK.fullmatch(argument):
        hint = f"~{argument} leaves it out"
    else:
        hint = CONFIG_KEYS.get(argument, argument if CALLBACK.match(argument) else "")
    if not hint or hint in message:
        return message
    first, newline, rest = message.partition("\n")
    return f"{first} [{hint}]{newline}{rest}"
