"""Checkpoints read without TensorFlow, beside TensorFlow's own reader."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.checkpoints.reading.bundle import Bundle, UnknownFormError, masked, read_bundle
from trainer.checkpoints.reading.reader import TensorReader, stored_tensors
from trainer.errors import CheckpointError

v1 = tf.compat.v1

NUMBERS = ("bool", "complex128", "complex64", "float16", "float32", "float64")
NUMBERS += ("int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8")


def saved(directory: Path, tensors: dict, name: str = "model") -> Path:
    prefix = directory / name
    values = [tf.convert_to_tensor(value) for value in tensors.values()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=values
    )
    return prefix


def same_as_tensorflow(prefix: Path) -> Bundle:
    bundle, reader = read_bundle(prefix), tf.train.load_checkpoint(str(prefix))
    assert {name: list(each.tensor.shape) for name, each in bundle.entries.items()} == {
        name: list(shape) for name, shape in reader.get_variable_to_shape_map().items()
    }
    dtypes = reader.get_variable_to_dtype_map()
    for name, entry in bundle.entries.items():
        assert entry.tensor.dtype == dtypes[name].name
        value, expected = TensorReader(prefix).value(name), np.asarray(reader.get_tensor(name))
        assert value.shape == expected.shape
        if expected.dtype.kind in "OSU":
            assert [bytes(each) for each in value.ravel()] == [bytes(each) for each in expected.ravel()]
        else:
            assert value.dtype == expected.dtype
            assert value.tobytes() == expected.tobytes()
    return bundle


@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_of_each_type_and_form(tmp_path, dtype) -> None:
    values = np.arange(12).astype(dtype)
    tensors = {"a": values.reshape(3, 4), "scalar": values[1], "none": values[:0].reshape(0, 3), "one/two": values[:1]}
    bundle = same_as_tensorflow(saved(tmp_path, tensors))
    assert all(map(bundle.can_read, tensors))


def test_strings(tmp_path) -> None:
    long = b"x" * 70_000
    tensors = {
        "s": np.array([[b"", b"a\0"], ["ä".encode(), long]], object),
        "one": "alone",
        "no": np.zeros([0], object),
    }
    bundle = same_as_tensorflow(saved(tmp_path, {name: tf.constant(each, tf.string) for name, each in tensors.items()}))
    assert bundle.value("s")[1, 1] == long
    assert bundle.value("s")[0, 1] == b"a\0"
    assert bundle.value("one").item() == b"alone"


def test_types_that_numpy_lacks_are_read_by_tensorflow(tmp_path) -> None:
    prefix = saved(tmp_path, {"b": tf.cast([1.0, 2.0], tf.bfloat16), "f": tf.constant([1.0])})
    bundle = same_as_tensorflow(prefix)
    assert (bundle.can_read("b"), bundle.can_read("f")) == (False, True)


def test_an_index_of_many_blocks(tmp_path) -> None:
    same_as_tensorflow(saved(tmp_path, {f"layer_{i:04}/kernel_of_a_long_name": np.float32(i) for i in range(700)}))


def test_several_data_files_and_slices(tmp_path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        parts = v1.fixed_size_partitioner(3)
        v1.get_variable("table", [10, 4], initializer=v1.random_normal_initializer(), partitioner=parts)
        v1.get_variable("w", [5])
        session.run(v1.global_variables_initializer())
        prefix = Path(v1.train.Saver(sharded=True).save(session, str(tmp_path / "model")))
    bundle = same_as_tensorflow(prefix)
    assert not bundle.can_read("table")
    assert TensorReader(prefix).value("table").shape == (10, 4)


def test_the_one_file_of_before_is_read_by_tensorflow(tmp_path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("w", [5])
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        prefix = Path(saver.save(session, str(tmp_path / "model")))
    assert str(stored_tensors(prefix)["w"]) == "float32 [5]"
    assert TensorReader(prefix).value("w").shape == (5,)


def test_types_are_known_without_the_data_file(tmp_path) -> None:
    prefix = saved(tmp_path, {"w": np.ones([2, 3], np.float32)})
    data = tmp_path / "model.data-00000-of-00001"
    data.unlink()
    reader = TensorReader(prefix)
    assert (str(reader.tensors["w"]), reader.missing_files) == ("float32 [2, 3]", [data])
    with pytest.raises(CheckpointError, match=r"data-00000-of-00001 cannot be read: No such file"):
        reader.value("w")


def test_damage_is_found(tmp_path) -> None:
    prefix = saved(tmp_path, {"w": np.ones([100], np.float32), "s": tf.constant(["some", "words"])})
    file = tmp_path / "model.data-00000-of-00001"
    whole = file.read_bytes()
    for name in ("w", "s"):
        entry = read_bundle(prefix).entries[name]
        changed = bytearray(whole)
        changed[entry.offset + entry.size - 1] ^= 1
        file.write_bytes(changed)
        with pytest.raises(CheckpointError, match=f"the bytes of {name} are not those that were written"):
            read_bundle(prefix).value(name)
    file.write_bytes(whole[:50])
    with pytest.raises(CheckpointError, match="ends before w"):
        read_bundle(prefix).value("w")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("bundle"), {"w": np.ones([4], np.float32), "s": tf.constant(["a", "bc"])})


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_change_of_the_index_does_more_than_a_refusal(small, data) -> None:
    content = bytearray(small.with_name("model.index").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(("flip", "cut", "fill")))
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        if kind == "flip" and content:
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "cut":
            del content[at:]
        else:
            content[at : at + 9] = data.draw(st.binary(min_size=9, max_size=9))
    prefix = small.with_name("changed")
    prefix.with_name("changed.index").write_bytes(content)
    prefix.with_name("changed.data-00000-of-00001").write_bytes(
        small.with_name("model.data-00000-of-00001").read_bytes()
    )
    try:
        bundle = read_bundle(prefix)
    except (UnknownFormError, CheckpointError):
        return
    for name in filter(bundle.can_read, bundle.entries):
        try:
            bundle.value(name)
        except CheckpointError:
            continue


def with_compression(content: bytes, kind: int) -> bytes:
    """Returns an index whose first block says that it is compressed in some way, with the right checksum."""

    def is_end(at: int) -> bool:
        checksum = int.from_bytes(content[at + 1 : at + 5], "little")
        return masked(google_crc32c.value(content[: at + 1])) == checksum

    end = next(filter(is_end, range(len(content))))
    changed = content[:end] + bytes([kind])
    return changed + masked(google_crc32c.value(changed)).to_bytes(4, "little") + content[end + 5 :]


def test_a_compressed_index_is_left_to_tensorflow(tmp_path) -> None:
    prefix = saved(tmp_path, {"w": np.ones([2], np.float32)})
    index = tmp_path / "model.index"
    index.write_bytes(with_compression(index.read_bytes(), 0))
    assert str(read_bundle(prefix).entries["w"].tensor) == "float32 [2]"
    index.write_bytes(with_compression(index.read_bytes(), 1))
    with pytest.raises(UnknownFormError, match="compressed, which only TensorFlow reads"):
        read_bundle(prefix)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):  # which it is not
        TensorReader(prefix)


def test_the_mask_of_a_checksum() -> None:
    assert masked(0xFFFFFFFF) == (0xFFFFFFFF + 0xA282EAD8) & 0xFFFFFFFF
