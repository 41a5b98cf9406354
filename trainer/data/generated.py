"""Batches from a Python generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from trainer.data.arrays import Arrays
from trainer.data.streamed import Streamed


class Generated(Streamed):
    """Batches from a generator function; it is called again for each pass over the data.

    The elements are examples as ``Streamed`` takes them. Shapes and dtypes are those of the first elements.

    Args:
        generator: Generator function without arguments.
        batch_size: Number of examples in a batch; an incomplete batch at the end of a pass is dropped.
        shuffle_buffer: Number of examples from which the next one is drawn; 0 keeps the order.
        validation: As in ``Streamed``; the functions may be generator functions.
        steps_per_epoch: Number of batches in a pass; None counts the examples once.
        save_position: ``skip`` for a resume that calls the generator anew and leaves out what the run had drawn,
            which is exact where the generator yields the same each time; False for a resume that starts the data
            anew. The position in a generator cannot be saved.
        validation_steps: Maximum number of batches of an evaluation.
        batched: Whether the elements are batches already.
        pad: As in ``Streamed``.
        bucket_boundaries: As in ``Streamed``.

    Example:
        >>> def numbers():
        ...     for x in range(5):
        ...         yield {"x": [float(x)]}, {"y": [2.0 * x]}
        >>> Generated(numbers, batch_size=2).skips_ahead
        True
    """

    def __init__(  # noqa: PLR0913 - the keys of the config, which the user sets one by one
        self,
        generator: Callable[[], Any],
        batch_size: int = 32,
        shuffle_buffer: int = 0,
        validation: Callable[[], Any] | Arrays | Mapping[str, Any] | None = None,
        steps_per_epoch: int | None = None,
        save_position: bool | Literal["skip"] = "skip",
        validation_steps: int | None = None,
        batched: bool = False,
        pad: bool | Mapping[str, Any] = False,
        bucket_boundaries: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            generator,
            batch_size,
            shuffle_buffer,
            validation,
            steps_per_epoch,
            save_position,
            validation_steps,
            batched,
            pad,
            bucket_boundaries,
        )
