"""Batches of elements of varying shape: padded, by length, or as their author made them; a resume is exact."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.helpers import assert_same_bits, run
from tests.test_same_bits import Stop
from trainer.data.streamed import Streamed
from trainer.errors import CallbackError, RequestError, TrainerError
from trainer.graph.data.data_source import inspect_source
from trainer.graph.data.feeds import DatasetFeed, Skips

v1 = tf.compat.v1
Dataset = tf.data.Dataset
LENGTHS = np.random.default_rng(0).integers(1, 12, 61)


def words() -> Any:
    """Returns 61 sentences of 1 to 11 words, each word the number of its sentence."""
    data = Dataset.range(61).map(lambda i: (i, tf.gather(LENGTHS, i)))
    return data.map(lambda i, n: ({"ids": tf.fill([n], i + 1)}, {"y": tf.cast(n, tf.float32)}))


def own_batches() -> Any:
    return words().padded_batch(8)


def generated() -> Any:
    def rows() -> Any:
        for i, n in enumerate(LENGTHS):
            yield {"ids": np.full(n, i + 1)}, {"y": np.float32(n)}

    signature = {"ids": tf.TensorSpec([None], tf.int64)}, {"y": tf.TensorSpec([], tf.float32)}
    return Dataset.from_generator(rows, output_signature=signature)


class Mean:
    """Model of sentences: the mean of the vectors of their words."""

    def __init__(self) -> None:
        self.table = tf.Variable(tf.random.stateless_normal([80, 2], [1, 2]), name="table")
        self.w = tf.Variable(tf.zeros([2, 1]), name="w")

    def __call__(self, inputs: Any, training: bool) -> Any:
        mask = tf.cast(inputs["ids"] > 0, tf.float32)[..., None]
        mean = tf.reduce_sum(tf.gather(self.table, inputs["ids"]) * mask, 1) / tf.reduce_sum(mask, 1)
        return {"op": (mean @ self.w)[:, 0]}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


STREAMS: dict[str, Callable[[], Streamed]] = {
    "padded": lambda: Streamed(words, 8, pad=True, shuffle_buffer=16),
    "by length": lambda: Streamed(words, 8, bucket_boundaries=[4, 8], shuffle_buffer=16),
    "by length, in order": lambda: Streamed(words, 8, bucket_boundaries=[4, 8], shuffle_buffer=0),
    "own batches": lambda: Streamed(own_batches, batched=True),
    "a generator, skipped": lambda: Streamed(generated, 8, pad=True, shuffle_buffer=16, save_position="skip"),
    "own batches, skipped": lambda: Streamed(own_batches, batched=True, save_position="skip"),
}
STEPS = 20
SAVED_AT = (1, 6, 7, 8, 9, 10, 15)


def drawn(session: Any, batch: Any, step: Any, steps: range) -> list[Any]:
    return [session.run(batch, {step: each})["ids"].tolist() for each in steps]


@pytest.mark.filterwarnings("ignore:Seed 7 from outer graph")
@pytest.mark.parametrize("name", STREAMS)
def test_each_position_is_resumed_exactly(name, tmp_path) -> None:
    """A checkpoint of each kind of step: in a pass, at its last batch, and in the next one."""
    data = STREAMS[name]()
    keras.utils.clear_session()
    with tf.Graph().as_default():
        keras.utils.set_random_seed(7)
        feed = DatasetFeed(data, seed=7, skips=Skips())
        step = v1.placeholder(tf.int64, [])
        (inputs, _), _ = tf.function(feed.batch, autograph=False)(feed.batch_indices(step, count=1, run_steps=1)[0])
        v1.get_variable("w", [1])
        saver, initialise = v1.train.Saver(max_to_keep=0), v1.global_variables_initializer()
        with v1.Session() as session:
            session.run(initialise)
            feed.initialise(session)
            straight = []
            for each in range(STEPS):
                saver.save(session, str(tmp_path / str(each)), write_meta_graph=False)
                straight += drawn(session, inputs, step, range(each, each + 1))
            if data.skips_ahead:  # in the session of a rollback, too
                feed.initialise(session)
                assert drawn(session, inputs, step, range(5, STEPS)) == straight[5:]
        assert len({str(batch) for batch in straight[:7]}) == 7
        assert sorted({row[0] for batch in straight[:8] for row in batch})[:3] == [1, 2, 3]
        for start in SAVED_AT:
            with v1.Session() as session:
                session.run(initialise)
                feed.initialise(session)
                saver.restore(session, str(tmp_path / str(start)))
                assert drawn(session, inputs, step, range(start, STEPS)) == straight[start:], start


@pytest.mark.parametrize("name", STREAMS)
def test_a_run_on_varying_lengths_resumes_with_the_same_bits(name, tmp_path) -> None:
    make = STREAMS[name]
    changes = {"make_model": Mean, "epochs": 3}
    straight = run(tmp_path / "a", {"c": Checkpoint(every_n_epochs=1)}, data=make(), **changes)
    stop = {"stop": Stop(11), "c": Checkpoint(every_n_epochs=1)}
    assert run(tmp_path / "b", stop, data=make(), **changes).global_step == 11
    state = run(tmp_path / "b", {"c": Checkpoint(every_n_epochs=1)}, data=make(), steps_per_call=3, **changes)
    assert (state.global_step, state.metrics["loss"]) == (straight.global_step, straight.metrics["loss"])
    assert_same_bits(tmp_path / "a/checkpoints/model-3", tmp_path / "b/checkpoints/model-3")


def test_an_evaluation_of_padded_sentences_is_that_of_each_alone(tmp_path) -> None:
    """The last batch is short, and padding changes nothing for this model."""
    data = Streamed(words, 8, pad=True, validation=words)
    state = run(tmp_path / "run", {"e": Evaluate(), "c": Checkpoint()}, data=data, make_model=Mean, epochs=1)
    read = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/model-1")).get_tensor
    scores = (read("table")[1:62] @ read("w"))[:, 0]
    assert state.metrics["val_loss"] == pytest.approx(np.mean((scores - LENGTHS) ** 2), rel=1e-5)


def late() -> Any:
    """Returns examples of one length, but for one in the middle of the pass."""
    return Dataset.range(61).map(lambda i: ({"ids": tf.fill([3 + i // 50], i)}, {"y": 0.0}))


def sparse() -> Any:
    return words().map(lambda x, y: ({"ids": tf.sparse.from_dense(x["ids"])}, y))


REFUSED: dict[str, tuple[Callable[[], Streamed], str]] = {
    "not padded": (
        lambda: Streamed(words, 8),
        r"'ids' varies: its shape is \[10\] in the first .* and \[8\] in element 1; set pad=true .*bucket_boundaries",
    ),
    "another name": (lambda: Streamed(words, 8, pad={"idss": 0}), "pad has a value for 'idss'; did you mean ids"),
    "a value of another type": (lambda: Streamed(words, 8, pad={"ids": "none"}), "pad has 'none' for 'ids', .* int64"),
    "sparse": (lambda: Streamed(sparse, 8, pad=True), "'ids' is a SparseTensor, which needs no padding"),
    "one length": (
        lambda: Streamed(lambda: words().map(lambda x, y: ({"n": y["y"]}, y)), 8, bucket_boundaries=[3]),
        "bucket_boundaries needs an input whose first axis differs",
    ),
    "falling": (lambda: Streamed(words, 8, bucket_boundaries=[8, 4]), r"\[8, 4\].* must be lengths in rising order"),
    "both": (lambda: Streamed(words, 8, batched=True, pad=True), "batched=true takes the batches as they are"),
    "batched examples": (lambda: Streamed(words, batched=True), "'y' is a scalar in a batch; the first axis of each"),
    "batches that differ": (
        lambda: Streamed(lambda: own_batches().map(lambda x, y: (x, {"y": y["y"][:3]})), batched=True),
        r"differ in their number of examples \(ids: 8, y: 3\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_batched_is_refused_with_the_key_and_a_remedy(name) -> None:
    make, message = REFUSED[name]
    with pytest.raises(RequestError, match=message):
        inspect_source(make())


def test_a_validation_part_whose_shapes_vary_is_named(tmp_path) -> None:
    data = Streamed(lambda: late().take(40), 8, shuffle_buffer=0, validation=late)
    with pytest.raises(CallbackError, match=r"validation: 'ids' varies: .* set pad=true"):
        run(tmp_path / "run", {"e": Evaluate()}, data=data, make_model=Mean, epochs=1)


def test_batches_that_would_be_batched_again_are_pointed_out(caplog) -> None:
    with contextlib.suppress(RequestError):
        inspect_source(Streamed(own_batches, 2))
    assert "ends in batches of its own, which are batched again" in caplog.text
    inspect_source(Streamed(own_batches, batched=True))
    assert caplog.text.count("batched again") == 1


def test_a_shape_that_varies_late_is_named_too(tmp_path) -> None:
    with pytest.raises(TrainerError, match=r"'ids' varies: .*\[3\] in .* and \[4\] in .*; set pad=true"):
        run(tmp_path / "run", data=Streamed(late, 8, shuffle_buffer=0), make_model=Mean, epochs=1)
