"""Applying a retention to the files of a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.pins import read_pins
from trainer.checkpoints.retention.policy import Retention, kept
from trainer.checkpoints.store import CheckpointStore


@dataclass(frozen=True)
class Rotation:
    """What a retention makes of the checkpoints that are there, the oldest first.

    Args:
        kept: those that are kept.
        removed: those that are removed.
    """

    kept: tuple[CommitRecord, ...]
    removed: tuple[CommitRecord, ...]


def plan_rotation(store: CheckpointStore, retention: Retention, left_out: Collection[str] = ()) -> Rotation:
    """Returns what a retention keeps and removes, with the pins of the directory; touches nothing.

    Args:
        store: of the files.
        retention: what stays.
        left_out: names of checkpoints that are neither counted nor removed, such as damaged ones.

    Raises:
        CheckpointError: the pins cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> store = CheckpointStore(Path(tempfile.mkdtemp()), "model")
        >>> for n in (1, 2, 3):
        ...     store.commit(CommitRecord(f"model-{n}", n, n, n, {}, {}, True, 0.0, ""))
        >>> [record.name for record in plan_rotation(store, Retention(max_to_keep=1, pinned=[1])).removed]
        ['model-2']
    """
    records = [record for record in store.records()[0] if record.name not in left_out]
    pinned = {*retention.pinned, *read_pins(store.directory)}
    names = kept(records, replace(retention, pinned=pinned))
    return Rotation(
        tuple(record for record in records if record.name in names),
        tuple(record for record in records if record.name not in names),
    )


def apply_rotation(store: CheckpointStore, rotation: Rotation) -> None:
    """Lists what stays in TensorFlow's state file and removes the rest."""
    # The list first: it must never name a file that is gone.
    store.write_state([record.name for record in rotation.kept])
    for record in rotation.removed:
        store.remove(record.name)
