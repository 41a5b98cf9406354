"""Batches from a ``tf.data`` pipeline whose position is saved in each checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainer.checks import check_bool, check_int, check_optional_int
from trainer.errors import RequestError

MakeDataset = Callable[[], Any]


class Streamed:
    """Batches from a function that returns a ``tf.data.Dataset``.

    The function is called while the graph is open, so a node for Hydra needs ``_partial_: true``.
    The elements of the data set are single examples: pairs (inputs, labels) of dicts by name.
    This class shuffles, batches, repeats and prefetches them.

    Args:
        dataset: Function without arguments that returns the data set of the training examples.
        batch_size: Number of examples in a batch; an incomplete batch at the end of a pass is dropped.
        shuffle_buffer: Number of examples from which the next one is drawn; 0 keeps the order. The
            buffer is part of each checkpoint.
        validation: Function that returns the data set of the validation examples, which are never
            trained on, or None.
        steps_per_epoch: Number of batches in a pass, for data sets of unknown length such as
            TFRecord files; None counts the examples once, which reads the data.
        validation_steps: Maximum number of batches of an evaluation, for a validation data set without end or
            of unknown length; None for all, and a data set of unknown length is then counted once.
        save_position: Whether checkpoints contain the position of the pipeline. False for pipelines
            whose position cannot be saved, such as ``from_generator``; a resume then starts them anew.

    Example:
        >>> Streamed(lambda: None, batch_size=32).batch_size
        32
    """

    def __init__(
        self,
        dataset: MakeDataset,
        batch_size: int,
        shuffle_buffer: int = 1000,
        validation: MakeDataset | None = None,
        steps_per_epoch: int | None = None,
        save_position: bool = True,
        validation_steps: int | None = None,
    ) -> None:
        for name, function in (("dataset", dataset), ("validation", validation)):
            if function is not None and not callable(function):
                raise RequestError(
                    f"{name} is a {type(function).__name__}, made before the graph exists; pass the function "
                    "that makes it (functools.partial; in a node for Hydra _partial_: true)",
                    argument=name,
                )
        self.dataset = dataset
        self.validation = validation
        self.batch_size = check_int("batch_size", batch_size, minimum=1)
        self.shuffle_buffer = check_int("shuffle_buffer", shuffle_buffer, minimum=0)
        self.save_position = check_bool("save_position", save_position)
        self.steps_per_epoch = check_optional_int("steps_per_epoch", steps_per_epoch, minimum=1)
        self.validation_steps = check_optional_int("validation_steps", validation_steps, minimum=1)
