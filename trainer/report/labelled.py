"""Summary of a model's outputs on labelled examples, added up batch by batch in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainer.report.pixels import as_pixels, thumbnails

Array = np.ndarray[Any, Any]
Spec = tuple[str, tuple[int | None, ...]]
"""Name of the dtype, and shape with the examples first."""

MAX_CLASSES = 1000
"""Classes above which a confusion matrix would fill megabytes and say little."""

MAX_WORST = 24
"""Number of worst examples that are kept."""

MAX_SCATTERED = 1500
"""Number of points of a scatter plot."""

CLASSES, NUMBER, NOTHING = "classes", "number", ""


@dataclass(frozen=True)
class Pairing:
    """Label, output and input of a model that belong together.

    Args:
        label: Name of the label.
        output: Name of the output.
        image: Name of the input that holds images, or None.
    """

    label: str
    output: str
    image: str | None = None


@dataclass(frozen=True)
class ValidationSummary:
    """Outputs on the validation part, in short.

    Args:
        kind: ``classes``, ``number`` (one number is predicted), or "" where neither is known.
        note: Reason why there is no summary, or what limits it.
        examples: Number of examples.
        epoch: Completed epochs of the variables.
        confusion: Number of examples by true and predicted class, int64 [classes, classes].
        images: Worst examples, uint8 [examples, height, width, channels].
        truth: True classes of the worst examples, int64 [examples].
        predicted: Predicted classes of the worst examples, int64 [examples].
        probability: Probabilities of the true classes, float32 [examples].
        index: Places of the worst examples in the validation part, int64 [examples].
        points: True and predicted numbers of some examples, float32 [points, 2].
        errors: Errors of predicted numbers over all examples, by name.
    """

    kind: str = NOTHING
    note: str = ""
    examples: int = 0
    epoch: int = 0
    confusion: Array | None = None
    images: Array | None = None
    truth: Array | None = None
    predicted: Array | None = None
    probability: Array | None = None
    index: Array | None = None
    points: Array | None = None
    errors: Mapping[str, float] = field(default_factory=dict)


def summary_for(
    inputs: Mapping[str, Spec], labels: Mapping[str, Spec], outputs: Mapping[str, Spec]
) -> tuple[Pairing | None, str]:
    """Returns the label and the output to compare, or None and the reason.

    Args:
        inputs: Specs of the inputs by name.
        labels: Specs of the labels by name, without sample weights.
        outputs: Specs of the outputs by name.

    Example:
        >>> x, digit = ("float32", (None, 8, 8, 1)), ("int32", (None,))
        >>> summary_for({"x": x}, {"digit": digit}, {"logits": ("float32", (None, 10))})
        (Pairing(label='digit', output='logits', image='x'), '')
    """
    if len(labels) != 1:
        return None, f"the data has {len(labels) or 'no'} labels, and one is compared with an output"
    (label, (_, shape)) = next(iter(labels.items()))
    fitting = [name for name, spec in outputs.items() if _fits(spec, labels[label])]
    if not fitting:
        return None, f"no output is a number or a list of classes for the label {label!r} {_shown(shape)}"
    classes = {outputs[name][1][1:] for name in fitting}
    if len(classes) > 1:
        named = [name for name in fitting if any(word in name.lower() for word in ("prob", "logit", "soft", "class"))]
        if len({outputs[name][1][1:] for name in named}) != 1:
            return None, f"the outputs {', '.join(fitting)} may each belong to the label {label!r}"
        fitting = named
    chosen = next((name for name in fitting if "prob" in name.lower()), fitting[0])
    return Pairing(label, chosen, next((name for name, spec in inputs.items() if _is_image(name, spec)), None)), ""


def _fits(output: Spec, label: Spec) -> bool:
    (dtype, shape), (of_label, true) = output, label
    is_whole = "int" in of_label or of_label == "bool"
    if "float" not in dtype or not (is_whole or "float" in of_label):
        return False
    if true[1:] in ((), (1,)):
        return shape[1:] in ((), (1,)) or (is_whole and len(shape) == 2 and shape[1] is not None)
    return len(true) == len(shape) == 2 and true[1] == shape[1] is not None


def _shown(shape: tuple[int | None, ...]) -> str:
    return str(["any" if size is None else size for size in shape]).replace("'", "")


def _is_image(name: str, spec: Spec) -> bool:
    dtype, shape = spec
    if not ("float" in dtype or "int" in dtype) or any(size is None or size < 4 for size in shape[1:3]):
        return False
    if len(shape) == 4:
        return shape[3] in (1, 3, 4)
    # Sequences [examples, time, features] have the same form.
    return len(shape) == 3 and any(word in name.lower() for word in ("image", "img", "picture", "pixels"))


class Tally:
    """Running summary of outputs on labelled examples; its memory does not depend on their number.

    Args:
        pairing: Label, output and input to compare.

    Example:
        >>> tally = Tally(Pairing("y", "p"))
        >>> tally.add(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
        >>> tally.summary(epoch=3).confusion.tolist()
        [[1, 0], [1, 1]]
    """

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self._examples = 0
        self._note = ""
        self._confusion: Array | None = None
        self._are_probabilities: bool | None = None
        self._numbers = _Numbers()
        self._worst: dict[str, Array] = {}

    def add(self, truth: Array, output: Array, images: Array | None = None) -> None:
        """Adds a batch.

        Args:
            truth: Labels [batch], [batch, 1] or, one-hot, [batch, classes].
            output: Outputs [batch], [batch, 1] or [batch, classes].
            images: Inputs that are images [batch, height, width] or with channels, or None.
        """
        if self._note or not len(truth):
            return
        truth, output = _squeezed(truth), _squeezed(output).astype(np.float64)
        start, self._examples = self._examples, self._examples + len(truth)
        if output.ndim == 1:
            self._numbers.add(truth.astype(np.float64), output)
            if not np.isin(truth, (0, 1)).all():
                self._confusion, self._worst = None, {}
                self._numbers.is_number = True
            if self._numbers.is_number:
                return
        elif truth.ndim == 2:
            if not (np.isin(truth, (0, 1)).all() and (truth.sum(axis=1) == 1).all()):
                self._note = f"the label {self._pairing.label!r} has several numbers for each example"
                return
            truth = truth.argmax(axis=1)
        self._add_classes(truth.astype(np.int64), output, images, start)

    def _add_classes(self, truth: Array, output: Array, images: Array | None, start: int) -> None:
        both = self._probabilities(output)
        classes = both.shape[1]
        if classes > MAX_CLASSES:
            self._note = f"{classes:,} classes are too many for a confusion matrix"
        elif ((truth < 0) | (truth >= classes)).any():
            wrong = int(truth[(truth < 0) | (truth >= classes)][0])
            self._note = f"the label {wrong} has no column in the output {self._pairing.output!r}"
        if self._note:
            self._confusion = None
            return
        predicted = both.argmax(axis=1)
        if self._confusion is None:
            self._confusion = np.zeros((classes, classes), np.int64)
        np.add.at(self._confusion, (truth, predicted), 1)
        if images is not None:
            index = np.arange(start, start + len(truth), dtype=np.int64)
            probability = np.nan_to_num(both[np.arange(len(truth)), truth], nan=-1.0)
            self._keep_worst(images, truth, predicted, probability, index)

    def _probabilities(self, output: Array) -> Array:
        """Returns probabilities [batch, classes] of probabilities or logits, as which the first batch showed itself."""
        if self._are_probabilities is None:
            in_range = bool(((output >= 0) & (output <= 1)).all())
            self._are_probabilities = in_range and (output.ndim == 1 or np.allclose(output.sum(axis=1), 1, atol=1e-2))
        if output.ndim == 1:
            one = output if self._are_probabilities else 0.5 * (1 + np.tanh(0.5 * output))
            return np.stack([1 - one, one], axis=1)
        if self._are_probabilities:
            return output
        shifted = np.exp(output - output.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def _keep_worst(self, images: Array, truth: Array, predicted: Array, probability: Array, index: Array) -> None:
        batch = {"probability": probability, "truth": truth, "predicted": predicted, "index": index}
        worst = np.argsort(probability, kind="stable")[:MAX_WORST]
        batch = {name: each[worst] for name, each in batch.items()} | {"images": thumbnails(images[worst])}
        if self._worst:
            batch = {name: np.concatenate([self._worst[name], each]) for name, each in batch.items()}
        kept = np.argsort(batch["probability"], kind="stable")[:MAX_WORST]
        self._worst = {name: each[kept] for name, each in batch.items()}

    def summary(self, epoch: int) -> ValidationSummary:
        """Returns the summary of all batches so far.

        Args:
            epoch: Completed epochs of the variables.
        """
        if self._note or not self._examples:
            note = self._note or "the validation part has no examples"
            return ValidationSummary(note=note, examples=self._examples, epoch=epoch)
        if self._confusion is None:
            points, errors = self._numbers.points, self._numbers.errors(self._examples)
            return ValidationSummary(NUMBER, "", self._examples, epoch, points=points, errors=errors)
        worst: dict[str, Any] = dict(self._worst)
        if worst:
            worst["images"] = as_pixels(worst["images"])
            worst["probability"] = worst["probability"].astype(np.float32)
        return ValidationSummary(CLASSES, "", self._examples, epoch, self._confusion, **worst)


class _Numbers:
    """Sums over predicted numbers, and a sample of them that every example has the same chance to be in."""

    def __init__(self) -> None:
        self.is_number = False
        self._sums = np.zeros(5)
        self._keys: Array = np.zeros(0)
        self.points: Array = np.zeros((0, 2), np.float32)
        self._random = np.random.default_rng(0)

    def add(self, truth: Array, output: Array) -> None:
        finite = np.isfinite(truth) & np.isfinite(output)
        truth, output = truth[finite], output[finite]
        difference = output - truth
        self._sums += [len(truth), *(each.sum() for each in (np.abs(difference), difference**2, truth, truth**2))]
        keys = np.concatenate([self._keys, self._random.random(len(truth))])
        points = np.concatenate([self.points, np.stack([truth, output], axis=1).astype(np.float32)])
        kept = np.sort(np.argsort(keys)[:MAX_SCATTERED])
        self._keys, self.points = keys[kept], points[kept]

    def errors(self, examples: int) -> dict[str, float]:
        count, absolute, squared, total, of_squares = self._sums
        if not count:
            return {"not finite": float(examples)}
        spread = of_squares - total**2 / count
        found = {"mean absolute error": absolute / count, "root mean square error": math.sqrt(squared / count)}
        if spread > 1e-12 * of_squares:
            found["R²"] = 1 - squared / spread
        left_out = {"not finite": float(examples - count)} if examples > count else {}
        return {**{name: float(value) for name, value in found.items()}, **left_out}


def _squeezed(values: Array) -> Array:
    values = np.asarray(values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
