"""Verification of a conversion: the file is compared with its source before it gets its name."""

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
"""Tolerance of float conversions: other runtimes sum in another order."""


@dataclass(frozen=True)
class Conversion:
    """Converted file that was put in place.

    Args:
        path: Path of the file.
        size: Size in bytes.
        examples: Number of examples in the compared batch.
        differences: Difference of each output; the ``.pb`` is the reference.
        steps: Quantisation step of each int8 output by name; empty for float.
        note: What a user of the file has to know, or "".
    """

    path: Path
    size: int
    examples: int
    differences: tuple[OutputDifference, ...]
    steps: Mapping[str, float]
    note: str = ""


def put_in_place(
    content: bytes,
    target: Path,
    source: Predictor,
    open_file: Callable[[Path], Predictor] | None,
    batch: Mapping[str, Array],
    max_of_range: float | None = None,
) -> tuple[OutputDifference, ...]:
    """Writes a converted model under a temporary name, compares it with its source, and renames it.

    Args:
        content: Content of the file.
        target: Final path of the file.
        source: Predictor of the source.
        open_file: Function that opens the file; None for a file that nothing here can run, which is not compared.
        batch: Batch by input to run both models on.
        max_of_range: Maximum difference of an output relative to its range; None for equality up to
            roundings.

    Raises:
        ReadBackError: An output differs by more; nothing was put in place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name keeps the extension: some runtimes detect the format by it.
    temporary = temporary_beside(target)
    try:
        temporary.write_bytes(content)
        sync_file(temporary)
        found: tuple[OutputDifference, ...] = ()
        if open_file is not None:
            with open_file(temporary) as converted:
                found = compare_predictors(source, converted, batch, TOLERANCE)
        for each in found:
            off = not each.same if max_of_range is None else (each.of_range is None or each.of_range > max_of_range)
            if off:
                raise ReadBackError(f"{target} was not written: {difference_in_words(each)} from {source.source}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(target.parent)
    return found


def difference_in_words(difference: OutputDifference) -> str:
    """Returns a difference as text."""
    if difference.absolute is None:
        return f"{difference.output} differs in type or shape"
    return f"{difference.output} is up to {difference.absolute:g} ({difference.of_range:.1%} of its range) off"


def examples_of(batch: Mapping[str, Array]) -> int:
    """Returns the number of examples in a batch; 1 if all inputs are scalars."""
    return max((len(value) for value in batch.values() if value.ndim), default=1)
