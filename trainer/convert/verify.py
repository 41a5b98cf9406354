"""What every conversion ends with: the file is run beside its source, and only then put in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.data.arrays import Array
from trainer.errors import ReadBackError
from trainer.files import sync_directory, sync_file, temporary_beside
from trainer.predict.compare import OutputDifference, compare_predictors
from trainer.predict.predictor import Predictor

TOLERANCE = 1e-4
"""Of float conversions: other runtimes add up in another order."""


@dataclass(frozen=True)
class Conversion:
    """A converted file that was put in place.

    Args:
        path: of the file.
        size: bytes.
        examples: of the batch that it was compared on.
        differences: of each output, the ``.pb`` being the first.
        steps: of int8: what one step of quantisation is of each output.
    """

    path: Path
    size: int
    examples: int
    differences: tuple[OutputDifference, ...]
    steps: Mapping[str, float]


def put_in_place(
    content: bytes,
    target: Path,
    source: Predictor,
    open_file: Callable[[Path], Predictor],
    batch: Mapping[str, Array],
    most_of_range: float | None = None,
) -> tuple[OutputDifference, ...]:
    """Writes a converted model under a temporary name, compares it with its source, and renames it.

    Args:
        content: of the file.
        target: its final name.
        source: what it was made from.
        open_file: opens it.
        batch: to run both on.
        most_of_range: how far an output may be off, in units of its range; None where it must be the
            same up to roundings.

    Raises:
        ReadBackError: it gives something else; nothing was put in place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The extension stays: some runtimes tell the format from it.
    temporary = temporary_beside(target)
    try:
        temporary.write_bytes(content)
        sync_file(temporary)
        with open_file(temporary) as converted:
            found = compare_predictors(source, converted, batch, TOLERANCE)
        for each in found:
            off = not each.same if most_of_range is None else (each.of_range is None or each.of_range > most_of_range)
            if off:
                raise ReadBackError(f"{target} was not written: {difference_in_words(each)} from {source.source}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)
    return found


def difference_in_words(difference: OutputDifference) -> str:
    """Returns a difference in words."""
    if difference.absolute is None:
        return f"{difference.output} differs in type or shape"
    return f"{difference.output} is up to {difference.absolute:g} ({difference.of_range:.1%} of its range) off"


def examples_of(batch: Mapping[str, Array]) -> int:
    """Returns the number of examples in a batch."""
    return max((len(value) for value in batch.values() if value.ndim), default=1)
