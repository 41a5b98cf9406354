"""Examples in memory: named arrays, checked once, split into a training and a validation part."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.checks import check_bool, check_int, check_optional_int, check_share
from trainer.data.element_form import ElementForm, mapped, named_parts
from trainer.errors import RequestError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Arrays:
    """Inputs, labels and sample weights of the same examples.

    Each is an array, or a tuple, a list or a dict of arrays (nested too); a model gets the same. The keys of a dict
    are names in the graph; an array alone is ``x`` (an input), ``y`` (a label) or ``sample_weight``, and those of a
    tuple are ``x_0``, ``x_1``, ...

    Args:
        inputs: Inputs of the model, arrays [examples, ...].
        labels: Labels for the loss, arrays [examples, ...]; None for data without labels.
        sample_weight: Weights of the examples in the loss, arrays [examples]; None for data without them.

    Raises:
        RequestError: The arrays differ in their number of examples, a name is used twice, or a
            dtype has no counterpart in TensorFlow.

    Example:
        >>> arrays = Arrays({"x": np.zeros((4, 2))}, {"y": np.zeros(4)})
        >>> len(arrays), len(arrays.take(np.arange(3)))
        (4, 3)
        >>> list(Arrays((np.zeros(4), np.ones(4)), np.zeros(4)).all)
        ['x_0', 'x_1', 'y']
    """

    inputs: Any
    labels: Any = None
    sample_weight: Any = None

    def __post_init__(self) -> None:
        for name, array in self.all.items():
            if not isinstance(array, np.ndarray) or array.ndim == 0:
                raise RequestError(f"data {name!r} must be an array with the examples along its first axis")
            if array.dtype.kind not in "biufcSU":
                raise RequestError(f"data {name!r} has dtype {array.dtype}, which TensorFlow does not support")
        lengths = {name: len(array) for name, array in self.all.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name}: {length:,}" for name, length in lengths.items())
            raise RequestError(f"the arrays differ in their number of examples ({counts})")

    @functools.cached_property
    def _named(self) -> tuple[ElementForm, dict[str, dict[str, Array]]]:
        return named_parts(self.inputs, self.labels, self.sample_weight)

    @property
    def form(self) -> ElementForm:
        """Names of the arrays in the tuples and dicts that hold them."""
        return self._named[0]

    @property
    def named_inputs(self) -> dict[str, Array]:
        """Inputs by name in the graph."""
        return self._named[1]["inputs"]

    @property
    def named_labels(self) -> dict[str, Array]:
        """Labels and sample weights by name in the graph."""
        return {**self._named[1]["labels"], **self._named[1]["sample_weight"]}

    @property
    def all(self) -> dict[str, Array]:
        """Inputs, labels and sample weights by name in the graph."""
        return {**self.named_inputs, **self.named_labels}

    def __len__(self) -> int:
        return len(next(iter(self.named_inputs.values())))

    def take(self, indices: Array) -> Arrays:
        """Returns the examples at the given indices, int [n]."""
        parts = self.inputs, self.labels, self.sample_weight
        return Arrays(*(mapped(lambda array: array[indices], part) for part in parts))


Validation = float | Arrays | Callable[[], Any] | Mapping[str, Any]
"""Share of the examples; arrays; a function that returns arrays or a data set; several of these by name."""


class InMemory:
    """Batches gathered in the graph from arrays that are fed to it once.

    The order is a pure function of the seed and of the pass over the data, so a resume needs no
    state. Each pass leaves out the examples that do not fill a batch; these differ between passes.

    Args:
        examples: Arrays, or a function without arguments that returns them.
        batch_size: Number of examples in a batch.
        shuffle: Whether each pass has a new order; False keeps the order of the arrays.
        validation: Share of the examples (0 or more, less than 1) that is never trained on; the
            choice does not depend on the seed of the run, so that runs can be compared. Or examples
            of its own: ``Arrays``, a function that returns these or a ``tf.data.Dataset`` of single
            examples, or a mapping of names to such, each evaluated under its name.
        max_examples: Maximum number of training examples, drawn at random; None takes all. The
            validation part is the same for any number, and a smaller draw is a part of a larger.

    Raises:
        RequestError: The data has no full batch.

    Example:
        >>> data = InMemory(Arrays({"x": np.zeros((10, 1))}, {"y": np.zeros(10)}), 4, validation=0.2)
        >>> len(data.train), len(data.validation), data.steps_per_epoch
        (8, 2, 2)
    """

    def __init__(
        self,
        examples: Arrays | Callable[[], Arrays],
        batch_size: int,
        shuffle: bool = True,
        validation: Validation = 0.0,
        max_examples: int | None = None,
    ) -> None:
        arrays = examples() if callable(examples) else examples
        if not isinstance(arrays, Arrays):
            raise RequestError(
                f"examples is or returns a {type(arrays).__name__}; it must be or return trainer.data.arrays.Arrays",
                argument="examples",
            )
        self.batch_size = check_int("batch_size", batch_size, minimum=1)
        self.shuffle = check_bool("shuffle", shuffle)
        self.train: Arrays
        self.validation: Any
        if isinstance(validation, Arrays | Mapping) or callable(validation):
            self.train, self.validation = arrays, validation
        else:
            self.train, self.validation = split(arrays, check_share("validation", validation))
        limit = check_optional_int("max_examples", max_examples, minimum=1)
        if limit is not None:
            drawn = np.random.default_rng(0).permutation(len(self.train))[:limit]
            self.train = self.train.take(np.sort(drawn))
        if not len(self.train):
            raise RequestError("the arrays hold no example", argument="examples")
        if self.batch_size > len(self.train):
            raise RequestError(
                f"batch_size ({batch_size:,}) is larger than the data ({len(self.train):,} training examples); set it "
                f"to at most {len(self.train)}",
                argument="batch_size",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in one pass over the training part."""
        return len(self.train) // self.batch_size


def split(arrays: Arrays, validation: float) -> tuple[Arrays, Arrays | None]:
    """Returns the training part and the validation part (None for a share of 0), drawn at random.

    Raises:
        RequestError: One of the parts would be empty.
    """
    if validation == 0:
        return arrays, None
    count = round(len(arrays) * validation)
    if not 0 < count < len(arrays):
        raise RequestError(
            f"validation ({validation:g}) of {len(arrays):,} examples leaves one part empty; choose another share",
            argument="validation",
        )
    order = np.random.default_rng(0).permutation(len(arrays))
    return arrays.take(np.sort(order[count:])), arrays.take(np.sort(order[:count]))
