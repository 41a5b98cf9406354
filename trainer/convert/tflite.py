"""Conversion to TensorFlow Lite: float, or int8 for integer-only devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.convert.lite_runtime import detail_name, interpreter_of, opener_of, runs_here
from trainer.convert.loops import fix_batch, has_tensor_lists
from trainer.convert.prepare import as_file, inputs_of, prepared_graph
from trainer.convert.verify import Conversion, examples_of, put_in_place
from trainer.data.arrays import Array, Arrays
from trainer.errors import RequestError
from trainer.files import local_path
from trainer.predict.backends.frozen import open_frozen
from trainer.predict.compare import completed_batch
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import convert_input

FLEX = b"Flex"
"""Beginning of the names of TensorFlow's own ops in a file."""

NO_COUNTERPART = re.compile(
    r"'tf\.(?P<op>\w+)' op is neither a custom op nor a flex op|^TF Select ops: (?P<ops>.+)$", re.MULTILINE
)
"""Part of the converter's message about ops that the runtime does not have."""

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
        batch = completed_batch(batch or data or {}, predictor.inputs, seed)
        graph_def = prepared_graph(source, predictor, batch)
        has_lists = has_tensor_lists(graph_def)
        if has_lists and data is not None:
            raise RequestError(
                f"{source} has loops that collect tensors, as recurrent layers do, and the calibration of int8 ends "
                "the process on them; convert it to float, or build its recurrent layers with unroll=True",
                argument="representative",
            )
        if fixed_batch is None and has_lists and not select_tf_ops:
            fixed_batch = 1
        if fixed_batch is not None:
            fix_batch(graph_def, fixed_batch)
        content = _converted(source, predictor, graph_def, data, select_tf_ops)
        is_compared = not select_tf_ops or runs_here(content)
        open_file = opener_of(fixed_batch) if is_compared else None
        max_of_range = None if data is None else MAX_OF_RANGE
        differences = put_in_place(content, target, predictor, open_file, batch, max_of_range)
    steps = {}
    if data is not None:
        details = interpreter_of(content).get_output_details()
        steps = {detail_name(each): float(each["quantization"][0]) for each in details}
    note = _note(fixed_batch, is_compared=is_compared, needs_tensorflow=select_tf_ops and FLEX in content)
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


def _note(fixed_batch: int | None, *, is_compared: bool, needs_tensorflow: bool) -> str:
    notes = []
    if fixed_batch is not None:
        notes.append(f"a call takes {fixed_batch} example{'' if fixed_batch == 1 else 's'}, no more and no fewer")
    if needs_tensorflow:
        notes.append("the runtime needs TensorFlow's own ops (the Flex delegate)")
    if not is_compared:
        notes.append(f"not compared: TensorFlow {tf.__version__} has no such runtime")
    return "; ".join(notes)


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
        if match := NO_COUNTERPART.search(str(error)):
            names = match["op"] or match["ops"].strip()
            raise RequestError(
                f"{source} cannot be converted to TensorFlow Lite: it has no counterpart of {names}; for a runtime "
                "with TensorFlow's own ops, the file may keep it: select_tf_ops=True",
                argument="select_tf_ops",
            ) from error
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise RequestError(f"{source} cannot be converted to TensorFlow Lite: {(lines or ['?'])[0][:300]}") from error
    return content


def _single_examples(data: Mapping[str, Array]) -> Iterator[list[Array]]:
    for i in range(examples_of(data)):
        yield [value[i : i + 1] if value.ndim else value for value in data.values()]
