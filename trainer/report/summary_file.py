"""The file ``report-data.npz``: a summary of the validation part, from which a report is drawn again."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from trainer.files import write_atomically
from trainer.report.labelled import CLASSES, MAX_CLASSES, MAX_WORST, NUMBER, ValidationSummary
from trainer.report.pixels import MAX_PIXELS

FILE = "report-data.npz"
MAX_BYTES = 2**26
"""Size of a file, unpacked too, above which it is not one of ours."""

ARRAYS = ("confusion", "images", "truth", "predicted", "probability", "index", "points")
TEXT = "text"


def store_summary(run: Path, summary: ValidationSummary) -> None:
    """Writes a summary into a run directory.

    Args:
        run: Run directory.
        summary: Summary of the validation part.
    """
    known = {each.name: getattr(summary, each.name) for each in fields(summary)}
    arrays: dict[str, Any] = {name: known.pop(name) for name in ARRAYS}
    content = io.BytesIO()
    arrays[TEXT] = np.frombuffer(json.dumps(known).encode(), np.uint8)
    np.savez_compressed(content, **{name: each for name, each in arrays.items() if each is not None})
    write_atomically(run / FILE, content.getvalue())


def read_summary(path: Path) -> ValidationSummary:
    """Returns the summary of a file; an empty one with a note where there is none, or it is damaged.

    Args:
        path: Path of the file; it need not exist.
    """
    if not path.is_file():
        return ValidationSummary(note="+callbacks=report looks at the validation part when a run ends in good order")
    try:
        if sum(each.file_size for each in zipfile.ZipFile(path).infolist()) > MAX_BYTES:
            return ValidationSummary(note=f"{path.name} is larger than such a file can be")
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files if name in (*ARRAYS, TEXT)}
        return _checked(found)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        return ValidationSummary(note=f"{path.name} cannot be read ({type(error).__name__})")


def _checked(found: dict[str, Any]) -> ValidationSummary:
    """Returns the summary of the arrays of a file.

    Raises:
        ValueError, KeyError, TypeError: They are not those of a summary.
    """
    text = json.loads(bytes(found.pop(TEXT)).decode())
    summary = ValidationSummary(
        kind=str(text["kind"]),
        note=str(text["note"]),
        examples=int(text["examples"]),
        epoch=int(text["epoch"]),
        errors={str(name): float(value) for name, value in dict(text["errors"]).items()},
        **found,
    )
    confusion, points, images = summary.confusion, summary.points, summary.images
    if summary.kind == CLASSES and (confusion is None or confusion.ndim != 2 or len({*confusion.shape}) != 1):
        raise ValueError("no confusion matrix")
    if confusion is not None and (len(confusion) > MAX_CLASSES or confusion.dtype.kind not in "iu"):
        raise ValueError("another confusion matrix")
    if summary.kind == NUMBER and (points is None or points.ndim != 2 or points.shape[1] != 2):
        raise ValueError("no points")
    if images is not None:
        beside = (summary.truth, summary.predicted, summary.probability, summary.index)
        if any(each is None or each.shape != (len(images),) for each in beside) or len(images) > MAX_WORST:
            raise ValueError("images without their classes")
        if images.ndim != 4 or images.dtype != np.uint8 or max(images.shape[1:3]) > MAX_PIXELS:
            raise ValueError("no images")
    return summary
