"""Readers of weights by name, for each kind of file that a warm start takes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.reading.object_names import OBJECT_GRAPH, keys_by_name, path_of
from trainer.checkpoints.reading.reader import TensorReader
from trainer.checkpoints.restoring.keras_store import places_in_store
from trainer.checkpoints.weight_files import weights_at
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError, describe
from trainer.graphdef.graph_file import read_graph

UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, DecodeError)
"""Errors of libraries about a file that is not what its name says."""


class WeightReader(Protocol):
    """Reader of weights; each value is read when it is asked for."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Types of the weights, by name."""

    def value(self, name: str) -> Array:
        """Returns the value of a weight."""


def open_weights(path: Path, model: Any = None) -> WeightReader:
    """Returns a reader of a file of weights.

    Args:
        path: File, directory of a SavedModel, or prefix of a checkpoint's files.
        model: Model in the open graph, which tells what a file of Keras holds by its place in the model.

    Raises:
        RequestError: The file is not what its name says, or holds no weights.
        CheckpointError: The checkpoint cannot be read.
    """
    found = weights_at(path)
    if found is None:
        return _of_checkpoint(path)
    kind, path = found
    if kind == "saved_model":
        return _of_saved_model(path)
    readers: dict[str, Callable[[], WeightReader]] = {
        "npz": lambda: _of_npz(path),
        "h5": lambda: _of_h5(path, path, model),
        "keras": lambda: _of_h5(io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")), path, model),
        "frozen": lambda: _of_frozen(path),
    }
    try:
        reader = readers[kind]()
    except RequestError:
        raise
    except UNREADABLE as error:
        raise RequestError(
            f"{path} cannot be read as {path.suffix} ({describe(error)})", argument="warm_start.path"
        ) from error
    if not reader.tensors:
        raise RequestError(f"{path} holds no weights", argument="warm_start.path")
    return reader


class StoredWeights:
    """Weights with a function each that reads the value.

    Args:
        path: Path of the file, for messages.
        tensors: Types by name.
        read: Functions that return the value, by name.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], read: Mapping[str, Callable[[], Any]]) -> None:
        self._path = path
        self._read = read
        self.tensors = dict(sorted(tensors.items()))

    def value(self, name: str) -> Array:
        """Returns the value of a weight.

        Raises:
            CheckpointError: It cannot be read.
        """
        try:
            return np.asarray(self._read[name]())
        except UNREADABLE as error:
            raise CheckpointError(f"{self._path}: {name} cannot be read ({describe(error)})") from error


def _of_checkpoint(prefix: Path) -> WeightReader:
    reader = TensorReader(prefix)
    return _of_objects(reader) if OBJECT_GRAPH in reader.tensors else reader


def _of_saved_model(directory: Path) -> WeightReader:
    prefix = directory / "variables/variables"
    if not prefix.with_suffix(".index").is_file():
        raise RequestError(
            f"{directory} is a SavedModel without variables; a frozen .pb or a checkpoint may hold them",
            argument="warm_start.path",
        )
    return _of_checkpoint(prefix)


def _of_objects(reader: TensorReader) -> StoredWeights:
    """Returns the variables of a checkpoint of objects by their own names; those of one name by their keys."""
    sources: dict[str, str] = {}
    for name, found in keys_by_name(reader.value(OBJECT_GRAPH).item(), reader.tensors).items():
        first, *others = sorted(found)
        if all(_same(reader, first, other) for other in others):
            sources[name] = first
        else:
            sources.update({path_of(key): key for key in found})
    read = {name: _reading(reader.value, key) for name, key in sources.items()}
    return StoredWeights(reader.prefix, {name: reader.tensors[key] for name, key in sources.items()}, read)


def _same(reader: TensorReader, first: str, second: str) -> bool:
    """Returns whether two keys hold one value: a variable may be reached in several ways."""
    if reader.tensors[first] != reader.tensors[second]:
        return False
    return reader.value(first).tobytes() == reader.value(second).tobytes()


def _of_npz(path: Path) -> StoredWeights:
    arrays = np.load(path, allow_pickle=False)
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise ValueError("it is one array, and has no names")
    values = {name.removesuffix(":0"): arrays[name] for name in arrays.files}
    return StoredWeights(path, {name: _type_of(each) for name, each in values.items()}, _all_read(values))


def _of_frozen(path: Path) -> StoredWeights:
    constants = [node for node in read_graph(path).node if node.op == "Const"]
    values = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in constants}
    return StoredWeights(path, {name: _type_of(each) for name, each in values.items()}, _all_read(values))


def _of_h5(source: Any, path: Path, model: Any) -> StoredWeights:
    """Returns the weights in a file of Keras by the names of the model's variables; others by their places."""
    file = h5py.File(source)
    found = dict(_old_names(file)) or dict(_datasets(file))
    own = max(
        places_in_store(model) if model is not None else [],
        key=lambda places: sum(place in found for place in places),
        default={},
    )
    named = {own.get(place, place): each for place, each in found.items()}
    return StoredWeights(
        path,
        {name: _type_of(each) for name, each in named.items()},
        {name: _reading(each.__getitem__, ()) for name, each in named.items()},
    )


def _old_names(file: Any) -> Iterator[tuple[str, Any]]:
    """Yields names and data sets of a file of Keras 2, which holds the names of weights."""
    root = file.get("model_weights", file)
    for layer in root.attrs.get("layer_names", ()):
        group = root[_text(layer)]
        for weight in group.attrs.get("weight_names", ()):
            yield _text(weight).removesuffix(":0"), group[_text(weight)]


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    file.visititems(lambda name, each: found.append((name, each)) if isinstance(each, h5py.Dataset) else None)
    yield from found


def _type_of(value: Any) -> Tensor:
    return Tensor("string" if value.dtype.kind in "OSU" else value.dtype.name, tuple(value.shape))


def _all_read(values: Mapping[str, Array]) -> dict[str, Callable[[], Array]]:
    return {name: _reading(values.__getitem__, name) for name in values}


def _reading(read: Callable[[Any], Any], key: Any) -> Callable[[], Any]:
    return lambda: read(key)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
