"""One batch of any kind of data, short validation parts, and batches that can be read after their step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import points
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.graph.data.data_source import DataSource, inspect_source
from trainer.graph.data.debug_sources import RecordedFeed, changed_source
from trainer.graph.data.feeds import Skips
from trainer.graph.data.validation_parts import DatasetPart
from trainer.graph.ops.devices import building

v1 = tf.compat.v1


def sentences() -> tf.data.Dataset:
    def some() -> Any:
        for length in (3, 1, 4, 2, 5, 3, 2, 1):
            yield {"words": ["w"] * length, "ids": list(range(length))}, {"y": float(length)}

    words, ids = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)
    return tf.data.Dataset.from_generator(
        some, output_signature=({"words": words, "ids": ids}, {"y": tf.TensorSpec([], tf.float32)})
    )


KINDS = {
    "arrays": lambda: InMemory(points(), batch_size=8, validation=0.5),
    "data set": lambda: Streamed(
        lambda: tf.data.Dataset.from_tensor_slices((dict(points().inputs), dict(points().labels))), 8
    ),
    "padded": lambda: Streamed(sentences, 3, pad=True, save_position=False),
    "batches of its own": lambda: Streamed(
        lambda: tf.data.Dataset.from_tensor_slices((dict(points().inputs), dict(points().labels))).batch(7),
        batched=True,
    ),
    "strings": lambda: InMemory(Arrays({"s": np.array(["a", "bc", "d", "e"])}, {"y": np.arange(4.0)}), 2),
}


def drawn(source: DataSource, steps: int = 3) -> list[dict[str, Any]]:
    """Returns the first batches that the feed of a source gives."""
    with building(tf.Graph()), v1.Session() as session:
        feed = source.make_feed(0, Skips())
        rows = feed.batch_indices(tf.constant(0, tf.int64), steps, steps)
        place = v1.placeholder(tf.int32, [])
        (inputs, labels), _ = feed.batch(rows[place])
        session.run(v1.global_variables_initializer())
        feed.initialise(session)
        found = []
        for step in range(steps):
            batch = session.run({**inputs, **labels}, {place: step})
            if isinstance(feed, RecordedFeed):
                kept_inputs, kept_labels = feed.last_batch(session)
                assert {*kept_inputs, *kept_labels} == {*batch}
                for name, value in {**kept_inputs, **kept_labels}.items():
                    np.testing.assert_array_equal(value, batch[name])
            found.append(batch)
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_is_the_first_again_and_again(kind) -> None:
    source = inspect_source(KINDS[kind]())
    batches = drawn(changed_source(source, "overfit"))
    assert changed_source(source, "overfit").validation == {}
    for batch in batches:
        for name, value in batch.items():
            assert value.shape == source.example[name].shape
            assert [as_text(each) for each in value.flat] == [as_text(each) for each in source.example[name].flat]


def as_text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_batches_are_those_of_the_source(kind) -> None:
    source = inspect_source(KINDS[kind]())
    plain, recorded = drawn(source), drawn(changed_source(source, "numerics"))
    for one, other in zip(plain, recorded, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


def test_validation_parts_are_short() -> None:
    arrays = points(40)
    parts = {
        "arrays": arrays,
        "few": points(5),
        "set": lambda: tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels))),
    }
    short = changed_source(inspect_source(InMemory(arrays, batch_size=8, validation=parts)), "fast").validation
    assert (len(short["arrays"]), len(short["few"])) == (16, 5)
    assert isinstance(short["set"], DatasetPart)
    with building(tf.Graph()):
        assert int(tf.get_static_value(short["set"].make().cardinality()) or 2) == 2


def test_without_a_choice_the_source_is_as_it_was() -> None:
    source = inspect_source(InMemory(points(), batch_size=8))
    assert changed_source(source, None) is source


def test_one_batch_of_ragged_rows() -> None:
    def made() -> Any:
        return tf.data.Dataset.from_tensor_slices({"word": tf.ragged.constant([["a"], ["b", "c", "d"], ["e", "f"]])})

    source = changed_source(inspect_source(Streamed(made, 2, shuffle_buffer=0)), "overfit")
    for batch in drawn(source):
        assert batch["word_values"].tolist() == [b"a", b"b", b"c", b"d"]
        assert batch["word_row_splits"].tolist() == [0, 1, 4]
