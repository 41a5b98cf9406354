"""Summaries of outputs on labelled examples: classes in all their forms, numbers, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.report.labelled import MAX_SCATTERED, MAX_WORST, Pairing, Tally, summary_for
from trainer.report.pixels import MAX_PIXELS

WHOLE, ONE = ("int32", (None,)), ("float32", (None, 1))


@pytest.mark.parametrize(
    ("label", "outputs", "found"),
    [
        (WHOLE, {"logits": ("float32", (None, 10))}, "logits"),
        (WHOLE, {"logits": ("float32", (None, 10)), "probabilities": ("float32", (None, 10))}, "probabilities"),
        (WHOLE, {"features": ("float32", (None, 64)), "logits": ("float32", (None, 10))}, "logits"),
        (WHOLE, {"a": ("float32", (None, 64)), "b": ("float32", (None, 10))}, "the outputs a, b may each belong"),
        (("bool", (None,)), {"p": ("float32", (None,))}, "p"),
        (ONE, {"op": ONE}, "op"),
        (("float32", (None, 3)), {"op": ("float32", (None, 3))}, "op"),
        (("float32", (None, 3)), {"op": ("float32", (None, 4))}, "no output is a number or a list of classes"),
        (("string", (None,)), {"op": ONE}, "no output is a number or a list of classes"),
        (("int32", (None, 7)), {"words": ("float32", (None, 7, 50))}, "no output is a number or a list of classes"),
    ],
)
def test_the_output_that_belongs_to_the_label(label, outputs, found) -> None:
    pairing, reason = summary_for({"x": ONE}, {"y": label}, outputs)
    assert (pairing.output if pairing else reason).startswith(found)


def test_several_labels_are_left_out() -> None:
    assert summary_for({}, {"a": WHOLE, "b": WHOLE}, {})[1].startswith("the data has 2 labels")
    assert summary_for({}, {}, {})[1].startswith("the data has no labels")


@pytest.mark.parametrize(
    ("name", "spec", "is_image"),
    [
        ("x", ("float32", (None, 8, 8, 1)), True),
        ("x", ("uint8", (None, 32, 32, 3)), True),
        ("x", ("float32", (None, 8, 8)), False),
        ("image", ("float32", (None, 8, 8)), True),
        ("x", ("float32", (None, 8, 8, 16)), False),
        ("x", ("float32", (None, None, None, 3)), False),
        ("x", ("string", (None,)), False),
    ],
)
def test_which_inputs_are_images(name, spec, is_image) -> None:
    pairing, _ = summary_for({name: spec}, {"y": WHOLE}, {"p": ("float32", (None, 3))})
    assert (pairing.image == name) == is_image


def tallied(truth, output, batch: int = 7, images=None):
    tally = Tally(Pairing("y", "p"))
    for start in range(0, len(truth), batch):
        part = slice(start, start + batch)
        tally.add(truth[part], output[part], None if images is None else images[part])
    return tally.summary(epoch=1)


TRUTH = np.arange(50) % 3
LOGITS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) + 2 * np.eye(3)[TRUTH]


@pytest.mark.parametrize(
    "truth", [TRUTH, TRUTH[:, None], np.eye(3)[TRUTH].astype(np.float32)], ids=["n", "n1", "one-hot"]
)
@pytest.mark.parametrize("probabilities", [False, True])
def test_a_confusion_matrix_is_that_of_numpy(truth, probabilities) -> None:
    output = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True) if probabilities else LOGITS
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (TRUTH, LOGITS.argmax(axis=1)), 1)
    found = tallied(truth, output)
    assert (found.kind, found.examples) == ("classes", 50)
    np.testing.assert_array_equal(found.confusion, expected)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.float32])
@pytest.mark.parametrize("probabilities", [False, True])
def test_one_logit_or_probability_is_a_classifier_of_two(shape, dtype, probabilities) -> None:
    truth, logit = (np.arange(40) % 2).astype(dtype), np.linspace(-3, 4, 40)
    output = 1 / (1 + np.exp(-logit)) if probabilities else logit
    found = tallied(truth.reshape(shape), output.reshape(shape))
    assert found.confusion[1, 1] == int(((logit > 0) & (truth == 1)).sum())
    assert found.confusion.sum() == 40


def test_numbers_have_errors_and_a_bounded_sample() -> None:
    truth = np.random.default_rng(1).normal(size=5000)
    output = truth + 0.1
    output[7] = np.nan
    found = tallied(truth, output[:, None], batch=64)
    assert found.kind == "number"
    assert found.points.shape == (MAX_SCATTERED, 2)
    assert found.errors["mean absolute error"] == pytest.approx(0.1)
    assert found.errors["not finite"] == 1
    assert 0.98 < found.errors["R²"] < 1


def test_labels_of_zero_and_one_first_and_other_numbers_later_are_numbers() -> None:
    assert tallied(np.array([0.0, 1.0, 0.0, 2.5]), np.ones(4), batch=2).kind == "number"


@pytest.mark.parametrize(
    ("truth", "output", "note"),
    [
        (np.array([0, 5]), np.zeros((2, 3)), "the label 5 has no column in the output 'p'"),
        (np.array([0, -1]), np.zeros((2, 3)), "the label -1 has no column"),
        (np.array([[0.2, 0.8]]), np.zeros((1, 2)), "the label 'y' has several numbers for each example"),
        (np.array([0]), np.zeros((1, 1001)), "1,001 classes are too many"),
        (np.array([], int), np.zeros((0, 3)), "the validation part has no examples"),
    ],
)
def test_what_is_left_out_says_why(truth, output, note) -> None:
    found = tallied(truth, output)
    assert found.kind == ""
    assert found.note.startswith(note)


def test_the_worst_images_are_kept_whatever_the_batches_are() -> None:
    images = np.arange(50, dtype=np.float32)[:, None, None, None] * np.ones((1, 200, 100, 1), np.float32)
    found = tallied(TRUTH, LOGITS, images=images)
    chances = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True))[np.arange(50), TRUTH]
    assert found.index.tolist() == np.argsort(chances, kind="stable")[:MAX_WORST].tolist()
    assert found.images.shape == (MAX_WORST, 67, 50, 1)
    assert max(found.images.shape[1:3]) <= MAX_PIXELS
    assert found.images[:, 0, 0, 0].tolist() == found.index.tolist()
