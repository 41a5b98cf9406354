"""``tf.data`` pipeline over TFRecord files; unlike ``trainer.data.tfrecord``, this module needs TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.checks import check_int, suggestion
from trainer.data.files import matching_files
from trainer.data.unparsed import Unparsed, count_records, with_records
from trainer.errors import RequestError

Features = Mapping[str, Mapping[str, Any]]
"""Mappings with ``shape`` and ``dtype``, by name of the feature."""


def tfrecord_dataset(path: str, inputs: Features, labels: Features, side_by_side: int = 1) -> Any:
    """Returns the ``tf.data.Dataset`` described in ``trainer.data.tfrecord.tfrecord``."""
    files = matching_files(path, "TFRecord file")
    features = {name: _feature(name, node) for name, node in {**inputs, **labels}.items()}
    _check_first_record(files[0], features)

    def parts(read: Any) -> Any:
        return {name: read[name] for name in inputs}, {name: read[name] for name in labels}

    records = tf.data.TFRecordDataset(files)
    count = min(check_int("side_by_side", side_by_side, minimum=1), len(files))
    if count > 1:
        names = tf.data.Dataset.from_tensor_slices(files)
        records = names.interleave(
            tf.data.TFRecordDataset, cycle_length=count, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
    examples = records.map(
        lambda record: parts(tf.io.parse_single_example(record, features)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    batch = lambda together: parts(tf.io.parse_example(together, features))  # noqa: E731
    return with_records(examples, Unparsed(records, batch, lambda: count_records(files)))


def _feature(name: str, node: Mapping[str, Any]) -> Any:
    dtypes = {"float32": tf.float32, "int64": tf.int64, "string": tf.string}
    dtype = str(node.get("dtype", "float32"))
    if dtype not in dtypes:
        raise RequestError(f"feature {name!r} has dtype {dtype!r}; {suggestion(dtype, dtypes)}")
    return tf.io.FixedLenFeature(list(node.get("shape", [])), dtypes[dtype])


def _check_first_record(file: str, features: Mapping[str, Any]) -> None:
    """Checks the first record against the features, without a session, before training starts."""
    try:
        record = next(iter(tf.compat.v1.io.tf_record_iterator(file)), None)
    except tf.errors.OpError as error:
        raise RequestError(f"{file} is not a readable TFRecord file: {error.message}") from error
    if record is None:
        raise RequestError(f"{file} has no records")
    try:
        stored = tf.train.Example.FromString(record).features.feature
    except Exception as error:
        raise RequestError(f"the records of {file} are not tf.train.Example messages") from error
    for name, feature in features.items():
        if name not in stored:
            raise RequestError(f"{file} has no feature {name!r}; {suggestion(name, stored)}")
        kind = stored[name].WhichOneof("kind") or "float_list"
        count, wanted = len(getattr(stored[name], kind).value), int(tf.TensorShape(feature.shape).num_elements())
        stored_dtype = {"float_list": tf.float32, "int64_list": tf.int64, "bytes_list": tf.string}[kind]
        if stored_dtype != feature.dtype or count != wanted:
            raise RequestError(
                f"{file}: feature {name!r} holds {count} values of {stored_dtype.name}; "
                f"expected {wanted} of {feature.dtype.name}"
            )
