"""Conversion to TensorFlow Lite: float, or int8 for integer-only devices."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.convert.loops import fix_batch, has_tensor_lists
from trainer.convert.prepare import as_file, batch_for, inputs_of, prepared_graph
from trainer.convert.verify import Conversion, examples_of, put_in_place
from trainer.data.arrays import Array, Arrays
from trainer.errors import DamagedError, RequestError
from trainer.files import local_path
from trainer.predict.backends.frozen import open_frozen
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo, convert_input

FLEX = b"Flex"
"""Beginning of the names of TensorFlow's own ops in a file."""

MAX_OF_RANGE = 0.25
"""Maximum error of an int8 output relative to its range; the usual error is a few hundredths."""


def convert_to_tflite(
    source: str | Path,
    target: str | Path,
    *,
    outputs: Sequence[str] | None = None,
    representative: Mapping[str, Array] | None = None,
    batch: Mapping[str, Array] | None = None,
    fixed_batch: int | None = None,
    select_tf_ops: bool = False,
    seed: int = 0,
) -> Conversion:
    """Converts a frozen ``.pb`` to float, or with representative data to int8, including inputs and outputs.

    Loops that collect tensors, such as those of recurrent layers, take a batch of one size only, unless the runtime
    has TensorFlow's own ops.

    Args:
        source: Path of the ``.pb``.
        target: Path of the ``.tflite``.
        outputs: Nodes to compute; None for those of the manifest, or for all that no other node reads.
        representative: Examples by input, which determine the ranges of int8; None for float.
        batch: Batch by input to compare both models on; None for the representative data, or without it
            for random values.
        fixed_batch: Number of examples that a call takes; None for any, or 1 where the net has such loops.
        select_tf_ops: Whether the file may need a runtime with TensorFlow's own ops (the Flex delegate); where this
            TensorFlow has none, the file is not compared.
        seed: Seed of the random values.

    Raises:
        RequestError: The source is not a frozen graph, the data lacks an input, or the converter fails.
        TypeError, ValueError: The data does not match an input.
        ReadBackError: The outputs of the result differ; nothing was put in place.

    Example:
        >>> convert_to_tflite("no.pb", "model.tflite")
        Traceback (most recent call last):
        trainer.errors.RequestError: no.pb cannot be read: No such file or directory
    """
    source, target = local_path(source), local_path(target)
    with open_frozen(source, outputs) as predictor:
        data = None if representative is None else _checked_data(representative, predictor)
        batch = batch_for(batch or data, predictor.inputs, seed)
        graph_def = prepared_graph(source, predictor, batch)
        has_lists = has_tensor_lists(graph_def)
        if has_lists and data is not None:
            raise RequestError(
                f"{source} has loops that collect tensors, as recurrent layers do, and the calibration of int8 breaks off "
                "the process on them; convert it to float, or build its recurrent layers with unroll=True",
                argument="representative",
            )
        if fixed_batch is None and has_lists and not select_tf_ops:
            fixed_batch = 1
        if fixed_batch is not None:
            fix_batch(graph_def, fixed_batch)
        content = _converted(source, predictor, graph_def, data, select_tf_ops)
        runs_here = not select_tf_ops or _runs_here(content)
        open_file = _opener(fixed_batch) if runs_here else None
        max_of_range = None if data is None else MAX_OF_RANGE
        differences = put_in_place(content, target, predictor, open_file, batch, max_of_range)
    steps = {}
    if data is not None:
        details = _interpreter(content).get_output_details()
        steps = {_name(each): float(each["quantization"][0]) for each in details}
    note = _note(fixed_batch, runs_here=runs_here, needs_tensorflow=select_tf_ops and _needs_tensorflow(content))
    return Conversion(target, len(content), examples_of(batch), differences, steps, note)


def _checked_data(data: Mapping[str, Array], predictor: Predictor) -> dict[str, Array]:
    inputs = {name: info for name, info in predictor.inputs.items() if not info.optional}
    missing = [name for name in inputs if name not in data]
    if missing:
        raise RequestError(
            f"the representative data lacks the input {missing[0]!r}; it has: {', '.join(data)}",
            argument="representative",
        )
    arrays = {name: convert_input(name, data[name], info) for name, info in inputs.items()}
    if not len(Arrays(arrays, {})):
        raise RequestError("the representative data has no example", argument="representative")
    return arrays


def _note(fixed_batch: int | None, *, runs_here: bool, needs_tensorflow: bool) -> str:
    notes = []
    if fixed_batch is not None:
        notes.append(f"a call takes {fixed_batch} example{'' if fixed_batch == 1 else 's'}, no more and no fewer")
    if needs_tensorflow:
        notes.append("the runtime needs TensorFlow's own ops (the Flex delegate)")
    if not runs_here:
        notes.append(f"not compared: TensorFlow {tf.__version__} has no such runtime")
    return "; ".join(notes)


def _needs_tensorflow(content: bytes) -> bool:
    return FLEX in content


def _runs_here(content: bytes) -> bool:
    try:
        _interpreter(content).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        if "Flex delegate" in str(error) or "Select TensorFlow op" in str(error):
            return False
        raise
    return True


def _opener(fixed_batch: int | None) -> Callable[[Path], Predictor]:
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


def _converted(
    source: Path, predictor: Predictor, graph_def: Any, data: Mapping[str, Array] | None, select_tf_ops: bool
) -> bytes:
    inputs = [info.tensor.removesuffix(":0") for info in inputs_of(graph_def, predictor).values()]
    outputs = [info.tensor.removesuffix(":0") for info in predictor.outputs.values()]
    with as_file(graph_def) as file:
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(file, inputs, outputs)
    if select_tf_ops:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        # By name: the loops then stay what they are, at any size of the batch.
        setattr(converter, "_experimental_lower_tensor_list_ops", False)  # noqa: B010
    if data is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _single_examples(data)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    try:
        content: bytes = converter.convert()
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise RequestError(f"{source} cannot be converted to TensorFlow Lite: {(lines or ['?'])[0][:300]}") from error
    return content


def _single_examples(data: Mapping[str, Array]) -> Iterator[list[Array]]:
    for i in range(examples_of(data)):
        yield [value[i : i + 1] if value.ndim else value for value in data.values()]


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
        interpreter = _interpreter(content)
    except ValueError as error:
        raise DamagedError(f"{path} is not a TensorFlow Lite model ({str(error).splitlines()[0]})") from error
    inputs = {_name(each): _info(each) for each in interpreter.get_input_details()}
    outputs = {_name(each): _info(each) for each in interpreter.get_output_details()}
    return Predictor(str(path), inputs, outputs, _LiteBackend(interpreter))


def _interpreter(content: bytes) -> Any:
    with warnings.catch_warnings():
        # TensorFlow announces that its interpreter will move to another package, in the words of the version.
        words = r"\s*Warning: (tf\.lite\.Interpreter is deprecated|Please use the LiteRT interpreter)"
        warnings.filterwarnings("ignore", message=words)
        return tf.lite.Interpreter(model_content=content)


def _name(detail: Mapping[str, Any]) -> str:
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
