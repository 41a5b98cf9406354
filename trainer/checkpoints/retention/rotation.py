"""Rotation: a retention policy applied to the files of a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.pins import read_pins
from trainer.checkpoints.retention.policy import Retention, kept
from trainer.checkpoints.store import CheckpointStore


@dataclass(frozen=True)
class Rotation:
    """Decision of a retention policy about the existing checkpoints.

    Args:
        kept: Records of the checkpoints that are kept, the oldest first.
        removed: Records of the checkpoints that are removed, the oldest first.
    """

    kept: tuple[CommitRecord, ...]
    removed: tuple[CommitRecord, ...]


def plan_rotation(store: CheckpointStore, retention: Retention, left_out: Collection[str] = ()) -> Rotation:
    """Returns the checkpoints that a policy and the pins of the directory keep and remove; changes nothing.

    Args:
        store: Store of the files.
        retention: Retention policy.
        left_out: Names of checkpoints that are neither counted nor removed, such as damaged ones.

    Raises:
        CheckpointError: The pins cannot be read.

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
    """Lists the kept checkpoints in TensorFlow's state file and removes the others."""
    # The list first: it must never name a removed file.
    store.write_state([record.name for record in rotation.kept])
    for record in rotation.removed:
        store.remove(record.name)
