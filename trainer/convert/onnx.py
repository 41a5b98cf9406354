"""Conversion to ONNX by tf2onnx, checked in onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.convert.prepare import inputs_of, prepared_graph
from trainer.convert.verify import Conversion, examples_of, put_in_place
from trainer.data.arrays import Array
from trainer.errors import DamagedError, RequestError
from trainer.files import local_path
from trainer.predict.backends.frozen import open_frozen
from trainer.predict.compare import completed_batch
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo

DTYPES = {"float": "float32", "double": "float64", "string": "string", "bool": "bool"}
"""ONNX's names of types to TensorFlow's, if they differ."""


def convert_to_onnx(
    source: str | Path,
    target: str | Path,
    *,
    outputs: Sequence[str] | None = None,
    opset: int | None = None,
    batch: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> Conversion:
    """Converts a frozen ``.pb``; inputs and outputs keep their names. Needs the extra ``onnx``.

    Args:
        source: Path of the ``.pb``.
        target: Path of the ``.onnx``.
        outputs: Nodes to compute; None for those of the manifest, or for all that no other node reads.
        opset: Version of ONNX's ops; None for tf2onnx's default.
        batch: Batch by input to compare both models on; None for random values.
        seed: Seed of the random values.

    Raises:
        RequestError: The extra is not installed, the source is not a frozen graph, or tf2onnx cannot convert it.
        ReadBackError: The outputs of the result differ; nothing was put in place.

    Example:
        >>> convert_to_onnx("no.pb", "model.onnx")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        trainer.errors.RequestError: no.pb cannot be read: No such file or directory
    """
    tf2onnx, _ = _extra("tf2onnx"), _extra("onnxruntime")
    source, target = local_path(source), local_path(target)
    with open_frozen(source, outputs) as predictor:
        batch = completed_batch(batch or {}, predictor.inputs, seed)
        graph_def = prepared_graph(source, predictor, batch)
        inputs = inputs_of(graph_def, predictor)
        names = {info.tensor: name for name, info in {**inputs, **predictor.outputs}.items()}
        try:
            with tf.Graph().as_default():
                model, _ = tf2onnx.convert.from_graph_def(
                    graph_def,
                    input_names=[info.tensor for info in inputs.values()],
                    output_names=[info.tensor for info in predictor.outputs.values()],
                    tensors_to_rename=names,
                    opset=opset,
                )
        except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
            raise RequestError(f"{source} cannot be converted to ONNX: {str(error).splitlines()[0]}") from error
        _refuse_unknown_ops(model, source)
        content: bytes = model.SerializeToString()
        differences = put_in_place(content, target, predictor, open_onnx, batch)
    return Conversion(target, len(content), examples_of(batch), differences, {})


def _refuse_unknown_ops(model: Any, source: str | Path) -> None:
    """Refuses a model with TensorFlow ops: tf2onnx keeps ops that it cannot convert, and no ONNX runtime has them."""
    known = _extra("onnx").defs.has
    wrong = next((node for node in model.graph.node if not node.domain and not known(node.op_type)), None)
    if wrong is not None:
        raise RequestError(
            f"{source} cannot be converted to ONNX: ONNX has no counterpart of the op {wrong.name!r} ({wrong.op_type})"
        )


def open_onnx(path: str | Path) -> Predictor:
    """Opens an ``.onnx`` in onnxruntime, on the CPU. Needs the extra ``onnx``.

    Args:
        path: Path of the ``.onnx``.

    Raises:
        RequestError: The extra is not installed, or the file does not exist.
        DamagedError: The file is not an ONNX model.
    """
    runtime = _extra("onnxruntime")
    path = local_path(path)
    if not path.is_file():
        raise RequestError(f"{path} cannot be read: no such file")
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise DamagedError(f"{path} cannot be loaded as an ONNX model: {str(error).splitlines()[0]}") from error
    inputs = {each.name: _info(each) for each in session.get_inputs()}
    outputs = {each.name: _info(each) for each in session.get_outputs()}
    return Predictor(str(path), inputs, outputs, _OnnxBackend(session))


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RequestError(f"ONNX needs {name} ({error}): pip install 'graph-trainer[onnx]'") from error


def _info(argument: Any) -> TensorInfo:
    name = argument.type.removeprefix("tensor(").removesuffix(")")
    # ONNX gives a dimension of any size a name.
    shape = tuple(size if isinstance(size, int) else None for size in argument.shape)
    return TensorInfo(argument.name, DTYPES.get(name, name), shape)


class _OnnxBackend:
    """Backend that runs a session of onnxruntime."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        results: Sequence[Any] = self._session.run(None, dict(fed))
        return results

    def close(self) -> None:
        self._session = None
