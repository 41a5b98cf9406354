"""Batches from a generator of feed dicts, as a loop over ``session.run`` took them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from trainer.checks import check_names, suggestion
from trainer.data.generated import Generated
from trainer.errors import RequestError


class Feeds(Generated):
    """Batches from a generator function that yields feed dicts; it is called again for each pass over the data.

    A key is the name of a placeholder, such as ``x`` or ``x:0``. Numbers, such as ``keep_prob``, may be among the
    values; a program has them as they are, in training alone.

    Args:
        feeds: Generator function without arguments; it yields dicts of arrays [batch, ...] and of numbers by name.
        inputs: Names of the arrays that an exported model takes; all others are labels and flags.
        validation: Generator function like ``feeds`` for batches that are never trained on; or several by name; or
            None.
        steps_per_epoch: Number of batches in a pass; None counts them once.
        validation_steps: Maximum number of batches of an evaluation; None for all.
        save_position: As in ``Generated``: ``skip`` for a resume that draws again what the run had drawn, False for
            one that starts the data anew.

    Example:
        >>> def batches():
        ...     for start in range(0, 10, 5):
        ...         yield {"x": [[float(start)]] * 5, "y:0": [[1.0]] * 5, "keep_prob": 0.5}
        >>> inputs, others = next(Feeds(batches, inputs=["x"]).dataset())
        >>> list(inputs), list(others), len(others["keep_prob"])
        (['x'], ['y', 'keep_prob'], 5)
    """

    def __init__(
        self,
        feeds: Callable[[], Any],
        inputs: Sequence[str],
        validation: Callable[[], Any] | Mapping[str, Callable[[], Any]] | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        save_position: bool | Literal["skip"] = "skip",
    ) -> None:
        names = check_names("inputs", inputs)
        parts: Any = validation
        if isinstance(validation, Mapping):
            parts = {key: _elements(each, names, "validation") for key, each in validation.items()}
        elif validation is not None:
            parts = _elements(validation, names, "validation")
        super().__init__(
            _elements(feeds, names, "feeds"),
            batched=True,
            validation=parts,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            save_position=save_position,
        )


def _elements(feeds: Callable[[], Any], inputs: Sequence[str], argument: str) -> Callable[[], Iterator[Any]]:
    if not callable(feeds):
        raise RequestError(
            f"{argument} is a {type(feeds).__name__}; pass the generator function itself, which is called for each "
            "pass (in a node for Hydra _partial_: true)",
            argument=argument,
        )

    def elements() -> Iterator[Any]:
        for feed in feeds():
            yield _element(feed, inputs, argument)

    return elements


def _element(feed: Any, inputs: Sequence[str], argument: str) -> Any:
    """Returns a feed dict as a pair of inputs and all others; a number is repeated for each example.

    Raises:
        RequestError: It is no dict by name, lacks an input, or has nothing but numbers.
    """
    if not isinstance(feed, Mapping) or not all(isinstance(name, str) for name in feed):
        raise RequestError(
            f"{argument} yields {type(feed).__name__}; it must yield dicts of arrays by the names of the placeholders, "
            'such as {"x": images, "keep_prob": 0.5}',
            argument=argument,
        )
    arrays = {name.removesuffix(":0"): np.asarray(value) for name, value in feed.items()}
    for name in inputs:
        if name not in arrays:
            raise RequestError(f"{argument} yields no {name!r}; {suggestion(name, list(arrays))}", argument="inputs")
    rows = next((len(array) for array in arrays.values() if array.ndim), None)
    if rows is None:
        raise RequestError(f"{argument} yields numbers alone ({', '.join(arrays)}); yield a batch", argument=argument)
    arrays = {name: array if array.ndim else np.full(rows, array) for name, array in arrays.items()}
    others = {name: array for name, array in arrays.items() if name not in inputs}
    taken = {name: arrays[name] for name in inputs}
    return (taken, others) if others else taken
