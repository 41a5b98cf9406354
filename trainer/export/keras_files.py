"""Keras's own files of a checkpoint: ``.weights.h5`` and ``.keras``."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainer.checkpoints.resolve import Reference, resolve_checkpoint
from trainer.errors import ReadBackError, RequestError, describe
from trainer.export.from_checkpoint import export_directory
from trainer.export.keras_weights import find_weights
from trainer.files import local_path, make_directory, sync_directory, sync_file
from trainer.graph.data.data_source import inspect_source
from trainer.models.keras_model import fed, made_by

log = logging.getLogger(__name__)

WEIGHTS, WHOLE = ".weights.h5", ".keras"
"""Suffixes of the files that Keras writes: weights alone, and the model with them."""


NOT_WRITABLE = (AttributeError, ImportError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""Errors of Keras about a class that it cannot write or make again."""


@dataclass(frozen=True)
class KerasParts:
    """Net and data of a run.

    Args:
        make_net: Function that makes the net, outside of any graph.
        data: Source of the data.
    """

    make_net: Callable[[], Any]
    data: Any


def export_keras(
    reference: Reference, parts: KerasParts, directory: str | Path | None = None, weights: str | None = None
) -> list[Path]:
    """Writes a checkpoint as Keras's own files, and reads them back.

    Args:
        reference: Reference to the checkpoint, as for ``trainer.checkpoints.find``.
        parts: Net and data of the run.
        directory: Directory of the files, which the checkpoint names; None for ``export/keras`` in its run.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.

    Returns:
        Paths of the ``.weights.h5`` and of the ``.keras``; the latter is left out, and said, where Keras cannot
        write or read the net's own classes.

    Raises:
        RequestError: The net does not fit the checkpoint.
        CheckpointError: The checkpoint is damaged.
        ReadBackError: A file does not hold the weights; nothing was put in place.
    """
    checkpoint = resolve_checkpoint(reference)
    checkpoint.verify()
    target = local_path(directory or export_directory(checkpoint) / "keras")
    net = _built(parts)
    values = find_weights(net, checkpoint, weights).values
    for variable in net.weights:
        variable.assign(values[variable.path])
    make_directory(target)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as place:
        made = [_weights_file(net, Path(place, f"{checkpoint.name}{WEIGHTS}"), parts)]
        if whole := _whole_file(net, Path(place, f"{checkpoint.name}{WHOLE}")):
            made.append(whole)
        for file in made:
            sync_file(file)
            shutil.move(file, target / file.name)
    sync_directory(target)
    return [target / file.name for file in made]


def _built(parts: KerasParts) -> keras.Model:
    """Returns a new net outside of any graph, with the names that a run's net has."""
    keras.utils.clear_session(free_memory=False)
    net = made_by(parts.make_net)
    if not net.built or not net.weights:
        source = inspect_source(parts.data)
        example = {name: np.asarray(each) for name, each in source.example.items() if name in source.inputs}
        net(fed(net, source.structure.inputs(example)))
    return net


def _weights_file(net: keras.Model, file: Path, parts: KerasParts) -> Path:
    net.save_weights(file)
    other = _built(parts)
    other.load_weights(file)
    _check_same(net, other, file)
    return file


def _whole_file(net: keras.Model, file: Path) -> Path | None:
    own = {type(each).__name__: type(each) for each in net._flatten_layers()}
    classes = {name: each for name, each in own.items() if not each.__module__.startswith("keras.")}
    try:
        net.save(file)
        # The file was written here, from the code that the run trained.
        other = keras.saving.load_model(file, custom_objects=classes, compile=False, safe_mode=False)
    except NOT_WRITABLE as error:
        log.warning(
            "%s is left out, because Keras cannot read it back (%s); give the class a get_config, see "
            "keras.saving.register_keras_serializable",
            file.name,
            describe(error).split("\n")[0],
        )
        return None
    _check_same(net, other, file)
    return file


def _check_same(net: keras.Model, other: keras.Model, file: Path) -> None:
    pairs = zip(net.weights, other.weights, strict=True) if len(net.weights) == len(other.weights) else None
    if pairs is None or any(a.numpy().tobytes() != b.numpy().tobytes() for a, b in pairs):
        raise ReadBackError(f"{file.name} does not hold the weights of {net.name}")


def check_net(target: str, run: Path) -> None:
    """Refuses a run whose model is no Keras model.

    Args:
        target: ``_target_`` of the run's model.
        run: Directory of the run.

    Raises:
        RequestError: The model is something else.
    """
    if not target.endswith(".KerasModel"):
        raise RequestError(
            f"the model of {run} is {target}, which is no Keras model by itself; a run of model=keras can be exported, "
            f"and trainer.load_into(net, {str(run)!r}) puts the weights into a Keras model of your own"
        )
