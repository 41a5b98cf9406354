"""Pruning and pinning by hand, in step with the rotation of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from trainer.checkpoints.catalog import Catalog, read_catalog
from trainer.checkpoints.record import best_first
from trainer.checkpoints.retention.pins import read_pins, write_pins
from trainer.checkpoints.retention.policy import Retention
from trainer.checkpoints.retention.rotation import Rotation, apply_rotation, plan_rotation
from trainer.checkpoints.store import CheckpointStore
from trainer.checks import check_int, suggestion
from trainer.errors import CheckpointError, RequestError
from trainer.runs.lock import RunLock
from trainer.state import CheckpointSettings


@dataclass(frozen=True)
class Pruning:
    """What a prune keeps and removes.

    Args:
        directory: Directory of the checkpoints.
        rotation: Records that are kept, and those that are removed.
        damaged: Names of checkpoints that were neither counted nor touched.
        freed: Bytes that the removal frees.
    """

    directory: Path
    rotation: Rotation
    damaged: tuple[str, ...]
    freed: int


def prune(
    path: Path,
    keep: int,
    keep_best: int = 0,
    monitor: str | None = None,
    mode: str | None = None,
    prefix: str | None = None,
    *,
    dry_run: bool = False,
) -> Pruning:
    """Removes the checkpoints that a retention does not keep, as a run's own rotation does.

    Pins hold, those of the config too. Damaged checkpoints do not count and are not touched, so the
    newest good one always stays; every byte is read to find them. What the run's own retention keeps
    besides, such as one checkpoint for each N hours, has no claim here: pin it. TensorFlow's state
    file and ``best_checkpoint`` in run.json follow.

    Args:
        path: Directory, as ``trainer.checkpoints.list_checkpoints`` takes it.
        keep: the newest so many stay, at least 1.
        keep_best: besides, the best so many stay.
        monitor: the metric that tells what is best; None for the one of the run's config.
        mode: ``min`` or ``max``: which end of it is best; None for the config's.
        prefix: of the checkpoints' names; needed where there are several.
        dry_run: whether to say what would go, and remove nothing.

    Raises:
        RequestError: the run is going on, there is nothing with a commit record, or no metric
            of that name.
        CheckpointError: the pins cannot be read, or no checkpoint is good.
    """
    check_int("keep", keep, minimum=1)
    catalog = read_catalog(path)
    store = CheckpointStore(catalog.directory, _only_prefix(catalog, prefix))
    known = catalog.checkpointing(store.prefix)
    policy = Retention(keep, None, keep_best, monitor or known.monitor, mode or known.mode, known.pinned)
    with contextlib.ExitStack() as stack:
        if catalog.run and not dry_run:
            stack.enter_context(RunLock(catalog.run.lock_file))
        sizes = {each.name: each.size for each in read_catalog(catalog.directory).checkpoints}
        damaged = _damaged(store)
        rotation = plan_rotation(store, policy, left_out=damaged)
        _check_prunable(catalog, rotation, policy)
        if not dry_run:
            apply_rotation(store, rotation)
            _update_best(catalog, rotation, known)
    return Pruning(catalog.directory, rotation, damaged, sum(sizes[record.name] for record in rotation.removed))


def _check_prunable(catalog: Catalog, rotation: Rotation, policy: Retention) -> None:
    records = [*rotation.kept, *rotation.removed]
    if not records:
        raise CheckpointError(f"{catalog.directory} has no good checkpoint; nothing was removed")
    if policy.keep_best and not best_first(records, policy.monitor, policy.mode):
        metrics = {name for record in records for name in record.metrics}
        raise RequestError(f"no checkpoint has the metric {policy.monitor!r}; {suggestion(policy.monitor, metrics)}")


def _only_prefix(catalog: Catalog, prefix: str | None) -> str:
    found = sorted({each.name_prefix for each in catalog.checkpoints if each.record})
    if not found:
        raise RequestError(
            f"{catalog.directory} has no commit record: a bare tf.compat.v1.train.Saver wrote these checkpoints, "
            "and its max_to_keep rules them"
        )
    if prefix is None and len(found) > 1:
        raise RequestError(f"{catalog.directory} has checkpoints of several names: {', '.join(found)}; add --prefix")
    if prefix is not None and prefix not in found:
        raise RequestError(f"{catalog.directory} has no checkpoint {prefix}-*; {suggestion(prefix, found)}")
    return prefix or found[0]


def _damaged(store: CheckpointStore) -> tuple[str, ...]:
    records, unreadable = store.records()
    names = [each.name for each in unreadable]
    for record in records:
        try:
            store.verify(record)
        except CheckpointError:
            names.append(record.name)
    return tuple(names)


def _update_best(catalog: Catalog, rotation: Rotation, known: CheckpointSettings) -> None:
    """Updates ``best_checkpoint`` in ``run.json`` where that checkpoint was removed."""
    if catalog.run is None:
        return
    folder = catalog.run.relative(catalog.directory)
    if catalog.run.info().best_checkpoint in {f"{folder}/{record.name}" for record in rotation.removed}:
        ranked = best_first(rotation.kept, known.monitor, known.mode)
        best = f"{folder}/{ranked[0].name}" if ranked else None
        catalog.run.update(lambda info: replace(info, best_checkpoint=best))


def pin(path: Path, numbers: Iterable[int]) -> frozenset[int]:
    """Pins checkpoints: no rotation removes them, in this run or a later one, nor does ``prune``.

    It works while the run is going on. A number stands for all checkpoints of that number.

    Args:
        path: Directory, as ``trainer.checkpoints.list_checkpoints`` takes it.
        numbers: of checkpoints with a commit record.

    Returns:
        All pins of the directory.

    Raises:
        RequestError: there is no such checkpoint, or the rotation took it just now.
        CheckpointError: the pins that are there cannot be read.
    """
    wanted = set(numbers)
    catalog = read_catalog(path)
    _check_there(catalog, wanted)
    before = read_pins(catalog.directory)
    write_pins(catalog.directory, before | wanted)
    try:
        # A rotation may have begun before the pins were there: looked at again, they surely hold.
        _check_there(read_catalog(catalog.directory), wanted)
    except RequestError:
        write_pins(catalog.directory, before)
        raise
    return before | wanted


def unpin(path: Path, numbers: Iterable[int]) -> frozenset[int]:
    """Takes pins back.

    Args:
        path: Directory, as ``trainer.checkpoints.list_checkpoints`` takes it.
        numbers: that are pinned.

    Returns:
        The pins that are left.

    Raises:
        RequestError: a number is not pinned, or the config pins it.
        CheckpointError: the pins cannot be read.
    """
    wanted = set(numbers)
    catalog = read_catalog(path)
    before = read_pins(catalog.directory)
    for number in sorted(wanted - before):
        if number in pinned_in(catalog):
            raise RequestError(f"{number} is pinned by the config: callbacks.checkpoint.pinned")
        raise RequestError(f"{number} is not pinned; {suggestion(str(number), map(str, before))}")
    write_pins(catalog.directory, before - wanted)
    return before - wanted


def pinned_in(catalog: Catalog) -> frozenset[int]:
    """Returns the pinned numbers of a directory, those of the config included."""
    of_config = (catalog.checkpointing(prefix).pinned for prefix in catalog.prefixes)
    return read_pins(catalog.directory).union(*of_config)


def _check_there(catalog: Catalog, numbers: Collection[int]) -> None:
    there = {each.record.number for each in catalog.checkpoints if each.record}
    if not there:
        raise RequestError(f"{catalog.directory} has no commit record, so no rotation of a run rules these checkpoints")
    for number in sorted(set(numbers) - there):
        known = ", ".join(map(str, sorted(there)))
        raise RequestError(f"{catalog.directory} has no checkpoint {number}; there are: {known}")
