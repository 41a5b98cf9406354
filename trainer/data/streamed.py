"""Batches from a ``tf.data`` pipeline whose position is saved in each checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from trainer.checks import check_bool, check_int, check_optional_int
from trainer.data.arrays import Arrays
from trainer.errors import RequestError

MakeDataset = Callable[[], Any]

SKIP = "skip"
"""Value of ``save_position`` with which a resume draws again, and leaves out, what the run had drawn."""


class Streamed:
    """Batches from a function that returns a ``tf.data.Dataset``.

    The function is called while the graph is open, so a node for Hydra needs ``_partial_: true``.
    The elements are single examples as Keras takes them: inputs, (inputs, labels) or (inputs, labels, sample
    weights), each a tensor, a tuple or a dict. This class shuffles, batches, repeats and prefetches them.

    Args:
        dataset: Function without arguments that returns the data set of the training examples.
        batch_size: Number of examples in a batch; an incomplete batch at the end of a pass is dropped.
        shuffle_buffer: Number of examples from which the next one is drawn; 0 keeps the order. The
            buffer is part of each checkpoint.
        validation: Function that returns the data set (or the ``Arrays``) of the validation examples, which are
            never trained on; a mapping of names to such functions, each evaluated under its name; or None.
        steps_per_epoch: Number of batches in a pass, for data sets of unknown length such as
            TFRecord files; None counts the examples once, which reads the data.
        validation_steps: Maximum number of batches of an evaluation, for a validation data set without end or
            of unknown length; None for all, and a data set of unknown length is then counted once.
        save_position: Whether checkpoints contain the position of the pipeline. False for pipelines
            whose position cannot be saved, such as ``from_generator``; a resume then starts them anew. ``skip``
            for a resume that draws the batches of the steps before it again and leaves them out, which is exact
            where the pipeline gives the same examples each time.
        batched: Whether the elements are batches already, of any size: nothing is shuffled, batched or dropped.
        pad: Whether tensors whose shape differs between examples are padded in each batch, with 0 or ''; a mapping
            of names to other values.
        bucket_boundaries: Lengths between which examples are put into one batch, such as [10, 20], so that little
            is padded; the length is the first axis that varies, the greatest of all inputs. Nothing is dropped.

    Example:
        >>> Streamed(lambda: None, batch_size=32).batch_size
        32
    """

    def __init__(  # noqa: PLR0913 - the keys of the config, which the user sets one by one
        self,
        dataset: MakeDataset,
        batch_size: int = 32,
        shuffle_buffer: int = 1000,
        validation: MakeDataset | Arrays | Mapping[str, Any] | None = None,
        steps_per_epoch: int | None = None,
        save_position: bool | Literal["skip"] = True,
        validation_steps: int | None = None,
        batched: bool = False,
        pad: bool | Mapping[str, Any] = False,
        bucket_boundaries: Sequence[int] | None = None,
    ) -> None:
        _check_function("dataset", dataset)
        if not isinstance(validation, Arrays | Mapping) and validation is not None:
            _check_function("validation", validation)
        self.dataset = dataset
        self.validation = validation
        self.batch_size = check_int("batch_size", batch_size, minimum=1)
        self.shuffle_buffer = check_int("shuffle_buffer", shuffle_buffer, minimum=0)
        self.save_position = save_position == SKIP or check_bool("save_position", save_position)
        self.skips_ahead = save_position == SKIP
        self.steps_per_epoch = check_optional_int("steps_per_epoch", steps_per_epoch, minimum=1)
        self.validation_steps = check_optional_int("validation_steps", validation_steps, minimum=1)
        self.batched = check_bool("batched", batched)
        self.bucket_boundaries = _boundaries(bucket_boundaries)
        self.pad_values: Mapping[str, Any] = pad if isinstance(pad, Mapping) else {}
        self.pads = isinstance(pad, Mapping) or check_bool("pad", pad) or self.bucket_boundaries is not None
        if self.batched and self.pads:
            raise RequestError(
                "batched=true takes the batches as they are; leave out pad and bucket_boundaries, or batched",
                argument="batched",
            )

    @property
    def stores_position(self) -> bool:
        """True where the position is in the checkpoints."""
        return self.save_position and not self.skips_ahead


def _check_function(name: str, given: Any) -> None:
    if isinstance(given, int | float):
        raise RequestError(
            f"{name} ({given!r}) is a share, which a stream cannot be divided by; give a function that makes the data "
            "set of the validation examples, such as dataset().take(1000), and leave these out of the training "
            "examples with skip(1000)",
            argument=name,
        )
    if not callable(given):
        raise RequestError(
            f"{name} is a {type(given).__name__}, made before the graph exists; pass the function that makes it "
            "(functools.partial; in a node for Hydra _partial_: true)",
            argument=name,
        )


def _boundaries(given: Sequence[int] | None) -> list[int] | None:
    if given is None:
        return None
    boundaries = [check_int("bucket_boundaries", each, minimum=1) for each in given]
    if not boundaries or boundaries != sorted(set(boundaries)):
        raise RequestError(
            f"bucket_boundaries ({list(given)}) must be lengths in rising order, such as [10, 20, 40]",
            argument="bucket_boundaries",
        )
    return boundaries
