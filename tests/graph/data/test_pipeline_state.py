"""Pipelines of many kinds: a resume is exact, or what no checkpoint holds is said at the start.

Each kind is run on, and from checkpoints at several steps of a first pass and later ones, in new sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data.streamed import Streamed
from trainer.graph.data.feeds import DatasetFeed, Skips
from trainer.graph.data.pipeline_state import unsaved_in
from trainer.graph.ops.random_ops import ops_in

pytestmark = pytest.mark.filterwarnings("ignore:Seed 7 from outer graph")  # that is why all draws repeat

v1 = tf.compat.v1
Dataset = tf.data.Dataset
X = np.arange(64, dtype=np.float32).reshape(64, 1)
SAVED_AT = (3, 7, 8, 15)
"""Steps of 8 examples: in a pass of 64 examples, at its end, and in the next one."""

STEPS = 26


def pairs() -> Any:
    return Dataset.from_tensor_slices(({"x": X}, {"y": X}))


def mapped(function: Callable[[Any], Any], data: Any = None, **settings: Any) -> Any:
    return (data or pairs()).map(lambda x, y: ({"x": function(x["x"])}, y), **settings)


def noisy(data: Any) -> Any:
    return mapped(lambda x: x + tf.random.gamma([1], 1.0), data)


def shuffled(**settings: Any) -> Any:
    return pairs().shuffle(64, seed=1, **settings)


def interleaved(**settings: Any) -> Any:
    return Dataset.range(4).interleave(lambda i: pairs().skip(i * 16).take(16), cycle_length=4, **settings)


def with_option() -> Any:
    options = tf.data.Options()
    options.deterministic = False
    return interleaved(num_parallel_calls=4).with_options(options)


def python(function: Callable[[Any], Any]) -> Any:
    return mapped(lambda x: tf.ensure_shape(tf.numpy_function(function, [x], tf.float32), [1]))


def stateless(numbers: Any) -> Any:
    zipped = Dataset.zip((pairs(), numbers))
    return zipped.map(lambda p, i: ({"x": p[0]["x"] + tf.random.stateless_normal([1], tf.stack([i, i]))}, p[1]))


def generator_noise() -> Any:
    generator = tf.random.Generator.from_seed(3)
    return mapped(lambda x: x + generator.normal([1]))


def keras_noise() -> Any:
    layer = keras.layers.GaussianNoise(1.0, seed=3)
    return mapped(lambda x: layer(x, training=True))


def counted() -> Any:
    count = v1.get_variable("count", initializer=0.0, trainable=False, use_resource=True)
    return mapped(lambda x: x + count.assign_add(1.0))


def sampled(*parts: Any) -> Any:
    return Dataset.sample_from_datasets(list(parts), [0.5, 0.5])


EXACT: dict[str, tuple[Callable[[], Any], int]] = {
    "plain": (pairs, 16),
    "map": (lambda: mapped(lambda x: 2 * x, num_parallel_calls=4), 16),
    "interleave": (lambda: interleaved(num_parallel_calls=4), 16),
    "shuffle": (shuffled, 0),
    "shuffle without seed": (lambda: pairs().shuffle(64), 0),
    "the same shuffle in each pass": (lambda: shuffled(reshuffle_each_iteration=False), 16),
    "shuffle and map": (lambda: mapped(lambda x: 2 * x, shuffled(), num_parallel_calls=4), 0),
    "shuffle without end": (lambda: shuffled().repeat(), 16),
    "shuffle and cache": (lambda: shuffled().cache(), 16),
    "shuffle in a function": (lambda: Dataset.range(4).flat_map(lambda i: pairs().skip(i * 16).take(9).shuffle(9)), 16),
    "sample without seed": (lambda: sampled(shuffled().repeat(), pairs().shuffle(20).repeat()), 16),
    "numbers of the element": (lambda: stateless(Dataset.random(seed=4)), 16),
    "numbers without seed": (lambda: stateless(Dataset.random()), 0),
}

SAID: dict[str, tuple[Callable[[], Any], int, str]] = {
    "normal": (lambda: mapped(lambda x: x + tf.random.normal([1])), 0, "random"),
    "normal with a seed": (lambda: mapped(lambda x: x + tf.random.normal([1], seed=4)), 16, "random"),
    "in a branch": (
        lambda: mapped(lambda x: tf.cond(x[0] > 9, lambda: x + tf.random.uniform([1]), lambda: x)),
        0,
        "random",
    ),
    "filter": (lambda: pairs().filter(lambda x, y: tf.random.uniform([]) < 0.7), 0, "random"),
    "in a nested data set": (lambda: pairs().flat_map(lambda *pair: noisy(Dataset.from_tensors(pair))), 0, "random"),
    "crop": (lambda: mapped(lambda x: x + tf.image.random_crop(tf.range(9.0), [1])), 0, "random"),
    "generator": (generator_noise, 0, "variable"),
    "Keras layer": (keras_noise, 0, "variable"),
    "counter": (counted, 0, "variable"),
    "np.random": (lambda: python(lambda x: x + np.random.normal(size=1).astype(np.float32)), 0, "Python"),
    "clock": (lambda: mapped(lambda x: x + tf.cast(tf.timestamp() % 9, tf.float32)), 0, "clock"),
    "interleave in any order": (lambda: interleaved(num_parallel_calls=4, deterministic=False), 0, "order"),
    "map in any order": (lambda: mapped(lambda x: x, num_parallel_calls=4, deterministic=False), 0, "order"),
    "option of any order": (with_option, 0, "order"),
    "two shuffles": (shuffled, 16, "passes"),
    "two shuffles without seed": (lambda: pairs().shuffle(64), 16, "passes"),
    "two shuffles of one's own": (lambda: shuffled().shuffle(16, seed=4), 0, "passes"),
    "shuffle, then zip": (lambda: Dataset.zip((shuffled(), Dataset.range(999))).map(lambda p, i: p), 0, "passes"),
    "shuffle without end, then zip": (
        lambda: Dataset.zip((shuffled().repeat(), Dataset.range(64))).map(lambda p, i: p),
        0,
        "passes",
    ),
    "shuffle, then more": (lambda: pairs().take(30).concatenate(shuffled().take(34)), 0, "passes"),
    "other numbers in each pass": (
        lambda: stateless(Dataset.random(seed=4, rerandomize_each_iteration=True)),
        0,
        "passes",
    ),
    "sample of what ends": (lambda: sampled(shuffled().repeat(), shuffled()).take(80), 16, "passes"),
}


def batches(make: Callable[[], Any], buffer: int, directory: Path) -> tuple[list[Any], dict[int, list[Any]]]:
    """Returns the batches of all steps, and those of resumes by the step at which they were saved."""
    keras.utils.clear_session()
    with tf.Graph().as_default():
        keras.utils.set_random_seed(7)
        feed = DatasetFeed(Streamed(make, batch_size=8, shuffle_buffer=buffer), seed=7, skips=Skips())
        (inputs, _), _ = feed.batch(feed.batch_indices(tf.constant(0, tf.int64), count=1, run_steps=1)[0])
        v1.get_variable("w", [1])
        saver, initialise = v1.train.Saver(max_to_keep=0), v1.global_variables_initializer()
        straight, resumed = [], {}
        with v1.Session() as session:
            session.run(initialise)
            feed.initialise(session)
            for step in range(STEPS):
                if step in SAVED_AT:
                    saver.save(session, str(directory / str(step)), write_meta_graph=False)
                straight.append(session.run(inputs["x"]).tolist())
        for step in SAVED_AT:
            with v1.Session() as session:
                session.run(initialise)
                feed.initialise(session)
                saver.restore(session, str(directory / str(step)))
                resumed[step] = [session.run(inputs["x"]).tolist() for _ in range(STEPS - step)]
    return straight, resumed


def kinds(make: Callable[[], Any], buffer: int, *, restarts: bool = False) -> set[str]:
    """Returns the kinds of what is said of a pipeline."""
    with tf.Graph().as_default() as graph:
        make()
        found = unsaved_in(ops_in(graph), buffered=buffer > 0, restarts=restarts)
    assert all(__file__ in str(each) for each in found)
    return {each.kind for each in found}


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_pipeline_is_resumed_bit_for_bit_in_silence(name, tmp_path) -> None:
    make, buffer = EXACT[name]
    straight, resumed = batches(make, buffer, tmp_path)
    assert {step: found == straight[step:] for step, found in resumed.items()} == dict.fromkeys(SAVED_AT, True)
    assert kinds(make, buffer) == set()


@pytest.mark.parametrize("name", SAID)
def test_what_no_checkpoint_holds_is_said_with_its_line(name) -> None:
    make, buffer, kind = SAID[name]
    assert kinds(make, buffer) == {kind}


@pytest.mark.parametrize("name", ["normal", "np.random"])
def test_what_is_said_is_so(name, tmp_path) -> None:
    make, buffer, _ = SAID[name]
    straight, resumed = batches(make, buffer, tmp_path)
    assert any(found != straight[step:] for step, found in resumed.items())


def test_a_pass_that_starts_anew_repeats_its_numbers() -> None:
    assert kinds(SAID["normal"][0], 0, restarts=True) == set()
    assert kinds(SAID["two shuffles of one's own"][0], 0, restarts=True) == set()
    assert kinds(SAID["np.random"][0], 0, restarts=True) == {"Python"}
    assert kinds(SAID["option of any order"][0], 0, restarts=True) == {"order"}
