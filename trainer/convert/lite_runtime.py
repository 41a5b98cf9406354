"""Interpreter of TensorFlow Lite behind a predictor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.convert.verify import examples_of
from trainer.data.arrays import Array
from trainer.errors import DamagedError, RequestError
from trainer.files import local_path
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo


def open_tflite(path: str | Path) -> Predictor:
    """Opens a ``.tflite``; an int8 model also takes and returns floats.

    Args:
        path: Path of the ``.tflite``.

    Raises:
        RequestError: The file cannot be read.
        DamagedError: The file is not a TensorFlow Lite model.
    """
    path = local_path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from error
    try:
        interpreter = interpreter_of(content)
    except ValueError as error:
        raise DamagedError(f"{path} is not a TensorFlow Lite model ({str(error).splitlines()[0]})") from error
    inputs = {detail_name(each): _info(each) for each in interpreter.get_input_details()}
    outputs = {detail_name(each): _info(each) for each in interpreter.get_output_details()}
    return Predictor(str(path), inputs, outputs, _LiteBackend(interpreter))


def runs_here(content: bytes) -> bool:
    """Returns whether the interpreter of this TensorFlow has the ops of a model, TensorFlow's own included."""
    try:
        interpreter_of(content).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        if "Flex delegate" in str(error) or "Select TensorFlow op" in str(error):
            return False
        raise
    return True


def opener_of(fixed_batch: int | None) -> Callable[[Path], Predictor]:
    """Returns a function that opens a file; one of a fixed batch is given the examples of a larger one in pieces."""
    if fixed_batch is None:
        return open_tflite

    def opened(path: Path) -> Predictor:
        inner = open_tflite(path)
        free = {
            name: replace(info, shape=(None, *info.shape[1:])) if info.shape else info
            for name, info in inner.inputs.items()
        }
        return Predictor(inner.source, free, inner.outputs, _InPieces(inner, fixed_batch))

    return opened


def interpreter_of(content: bytes) -> Any:
    """Returns TensorFlow Lite's interpreter of a model.

    Raises:
        ValueError: The bytes are no model.
    """
    with warnings.catch_warnings():
        # TensorFlow announces that its interpreter will move to another package, in the words of the version.
        words = r"\s*Warning: (tf\.lite\.Interpreter is deprecated|Please use the LiteRT interpreter)"
        warnings.filterwarnings("ignore", message=words)
        return tf.lite.Interpreter(model_content=content)


def detail_name(detail: Mapping[str, Any]) -> str:
    """Returns the name of an input or an output."""
    return str(detail["name"]).removesuffix(":0")


def _info(detail: Mapping[str, Any]) -> TensorInfo:
    shape = tuple(None if size == -1 else int(size) for size in detail["shape_signature"])
    dtype = "float32" if _is_quantized(detail) else tf.as_dtype(detail["dtype"]).name
    return TensorInfo(str(detail["name"]), dtype, shape)


def _is_quantized(detail: Mapping[str, Any]) -> bool:
    return bool(detail["quantization"][0])


class _InPieces:
    """Backend that runs a predictor of a fixed batch on larger ones.

    Args:
        predictor: Predictor of the file.
        size: Number of examples that it takes.
    """

    def __init__(self, predictor: Predictor, size: int) -> None:
        self._predictor = predictor
        self._size = size

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        count = examples_of(fed)
        if count % self._size:
            raise RequestError(
                f"the batch to check on has {count} examples, which are no multiple of {self._size}, the fixed batch",
                argument="batch",
            )
        pieces = [
            self._predictor(**{name: value[i : i + self._size] if value.ndim else value for name, value in fed.items()})
            for i in range(0, count, self._size)
        ]
        return [
            np.concatenate([piece[name] for piece in pieces]) if pieces[0][name].ndim else pieces[0][name]
            for name in self._predictor.outputs
        ]

    def close(self) -> None:
        self._predictor.close()


class _LiteBackend:
    """Backend that runs an interpreter, and quantises inputs and dequantises outputs of an int8 model."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._shapes: list[tuple[int, ...]] = []

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        details = self._interpreter.get_input_details()
        shapes = [value.shape for value in fed.values()]
        if shapes != self._shapes:
            for detail, shape in zip(details, shapes, strict=True):
                self._interpreter.resize_tensor_input(detail["index"], shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for detail, value in zip(details, fed.values(), strict=True):
            self._interpreter.set_tensor(detail["index"], _quantized(value, detail))
        self._interpreter.invoke()
        return [
            _dequantized(self._interpreter.get_tensor(detail["index"]), detail)
            for detail in self._interpreter.get_output_details()
        ]

    def close(self) -> None:
        self._interpreter = None


def _quantized(value: Array, detail: Mapping[str, Any]) -> Array:
    """Returns quantised values: real = scale * (quantized - zero_point).

    References:
        https://ai.google.dev/edge/litert/models/quantization_spec
    """
    if not _is_quantized(detail):
        return value
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    whole: Array = np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max)
    return np.asarray(whole, detail["dtype"])


def _dequantized(value: Array, detail: Mapping[str, Any]) -> Array:
    if not _is_quantized(detail):
        return value
    scale, zero_point = detail["quantization"]
    return np.asarray(scale * (value.astype(np.float32) - zero_point), np.float32)
