"""Batches from a ``tf.data`` pipeline, whose position is saved in each checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainer.checks import check_bool, check_int, check_optional_int
from trainer.errors import RequestError

MakeDataset = Callable[[], Any]


class Streamed:
    """Examples from any function that returns a ``tf.data.Dataset``.

    The function is called when the graph is open, which is why a node for Hydra has
    ``_partial_: true``. Its elements are single examples: pairs (inputs, labels) of
    dicts by name. Shuffling, batching, repeating and prefetching are done here.

    Args:
        dataset: the function, without arguments.
        batch_size: examples in a batch; what is left at the end of a pass is dropped.
        shuffle_buffer: examples among which the next one is drawn; 0 keeps the order. The buffer
            is part of each checkpoint.
        validation: a function for the examples that are never trained on, or None.
        steps_per_epoch: batches in a pass where the dataset cannot tell (TFRecord files cannot);
            None counts them once, which reads the data.
        save_position: whether a checkpoint holds where the pipeline stands. False for pipelines
            that cannot tell, such as ``from_generator``; a resume then starts them anew.

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
    ) -> None:
        for name, function in (("dataset", dataset), ("validation", validation)):
            if function is not None and not callable(function):
                raise RequestError(
                    f"{name} is a {type(function).__name__}, made before the graph was there; hand over the function "
                    "that makes it (functools.partial; in a node for Hydra _partial_: true)",
                    argument=name,
                )
        self.dataset = dataset
        self.validation = validation
        self.batch_size = check_int("batch_size", batch_size, minimum=1)
        self.shuffle_buffer = check_int("shuffle_buffer", shuffle_buffer, minimum=0)
        self.save_position = check_bool("save_position", save_position)
        self.steps_per_epoch = check_optional_int("steps_per_epoch", steps_per_epoch, minimum=1)
