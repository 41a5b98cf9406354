"""Pins: numbers of checkpoints that no rotation removes, in a small file beside the checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from trainer.checks import check_int
from trainer.errors import CheckpointError
from trainer.files import write_json

PINS_FILE = "pinned.json"
FORMAT = 1


def read_pins(directory: Path) -> frozenset[int]:
    """Returns the pinned numbers of a checkpoint directory; empty if nothing was ever pinned.

    Pins have a file of their own: a commit record is written once, with a checksum of itself, and must
    not change while its checkpoint counts. The file is replaced atomically, so a crash leaves the old
    pins or the new. Each rotation reads it again, so a pin also holds in a run that is going on.

    Raises:
        CheckpointError: The file cannot be read, so no checkpoint may be removed: it could be pinned.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_pins(folder, [300, 20])
        >>> sorted(read_pins(folder))
        [20, 300]
    """
    file = directory / PINS_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); nothing is removed until it can") from error
    try:
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}; a newer version wrote it")
        return frozenset(check_int("pinned", number, minimum=0) for number in value["pinned"])
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{file} holds no list of pins ({error}); repair it, or remove it to do without pins"
        ) from error


def write_pins(directory: Path, numbers: Iterable[int]) -> None:
    """Replaces the pins of a checkpoint directory; durable on return."""
    write_json(directory / PINS_FILE, {"format": FORMAT, "pinned": sorted(numbers)})
