"""Pruning and pinning on request, coordinated with the rotation of the run."""

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
    """Result of a prune.

    Args:
        directory: Directory of the checkpoints.
        rotation: Records of the kept and of the removed checkpoints.
        damaged: Names of damaged checkpoints, which are neither counted nor touched.
        freed: Bytes that the removal frees.
    """

    directory: Path
    rotation: Rotation
    damaged: tuple[str, ...]
    freed: int


def prune(
    path: str | Path,
    keep: int,
    keep_best: int = 0,
    monitor: str | None = None,
    mode: str | None = None,
    prefix: str | None = None,
    *,
    dry_run: bool = False,
) -> Pruning:
    """Removes the checkpoints that a retention does not keep, as the rotation of a run does.

    Pins hold, those of the run's saver too. Damaged checkpoints are not counted and not touched, so the
    newest good one is always kept; every byte is read to find them. Other rules of the run's own
    retention, such as one checkpoint for each N hours, do not apply: pin such checkpoints. TensorFlow's
    state file and ``best_checkpoint`` in run.json are updated.

    Args:
        path: Run directory, checkpoint directory, or directory of runs.
        keep: Number of most recent checkpoints to keep, at least 1.
        keep_best: Number of best checkpoints to keep in addition.
        monitor: Metric that decides which checkpoint is the best; None for that of the run's saver.
        mode: ``min`` or ``max``, the end of the metric that is best; None for that of the run's saver.
        prefix: Prefix of the checkpoints' names; required if there are several.
        dry_run: Whether to return the result without removing anything.

    Raises:
        RequestError: The run is going on, no checkpoint has a commit record, or none has the metric.
        CheckpointError: The pins cannot be read, or no checkpoint is good.
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
            f"{catalog.directory} has no commit record: a plain tf.compat.v1.train.Saver wrote these checkpoints, "
            "and its max_to_keep applies to them"
        )
    if prefix is None and len(found) > 1:
        raise RequestError(
            f"{catalog.directory} has checkpoints of several names: {', '.join(found)}; choose a prefix",
            argument="prefix",
        )
    if prefix is not None and prefix not in found:
        raise RequestError(
            f"{catalog.directory} has no checkpoint {prefix}-*; {suggestion(prefix, found)}", argument="prefix"
        )
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
    """Updates ``best_checkpoint`` in ``run.json`` if it was removed."""
    if catalog.run is None:
        return
    folder = catalog.run.relative(catalog.directory)
    if catalog.run.info().best_checkpoint in {f"{folder}/{record.name}" for record in rotation.removed}:
        ranked = best_first(rotation.kept, known.monitor, known.mode)
        best = f"{folder}/{ranked[0].name}" if ranked else None
        catalog.run.update(lambda info: replace(info, best_checkpoint=best))


def pin(path: Path, numbers: Iterable[int]) -> frozenset[int]:
    """Pins checkpoints: no rotation removes them, in this run or a later one, nor does ``prune``.

    Pins may be added while the run is going on. A number stands for all checkpoints of that number.

    Args:
        path: Run directory, checkpoint directory, or directory of runs.
        numbers: Numbers of checkpoints with a commit record.

    Returns:
        All pins of the directory.

    Raises:
        RequestError: There is no such checkpoint, or a rotation has just removed it.
        CheckpointError: The existing pins cannot be read.
    """
    wanted = set(numbers)
    catalog = read_catalog(path)
    _check_there(catalog, wanted)
    before = read_pins(catalog.directory)
    write_pins(catalog.directory, before | wanted)
    try:
        # A rotation that started before the pins were written may have removed a checkpoint: check again.
        _check_there(read_catalog(catalog.directory), wanted)
    except RequestError:
        write_pins(catalog.directory, before)
        raise
    return before | wanted


def unpin(path: Path, numbers: Iterable[int]) -> frozenset[int]:
    """Removes pins.

    Args:
        path: Run directory, checkpoint directory, or directory of runs.
        numbers: Numbers of pinned checkpoints.

    Returns:
        Pins that are left.

    Raises:
        RequestError: A number is not pinned, or the run's saver pins it.
        CheckpointError: The pins cannot be read.
    """
    wanted = set(numbers)
    catalog = read_catalog(path)
    before = read_pins(catalog.directory)
    for number in sorted(wanted - before):
        if number in pinned_in(catalog):
            raise RequestError(f"{number} is pinned by the run's saver; change its pinned", argument="pinned")
        raise RequestError(f"{number} is not pinned; {suggestion(str(number), map(str, before))}")
    write_pins(catalog.directory, before - wanted)
    return before - wanted


def pinned_in(catalog: Catalog) -> frozenset[int]:
    """Returns the pinned numbers of a directory, those of the run's savers included."""
    of_savers = (catalog.checkpointing(prefix).pinned for prefix in catalog.prefixes)
    return read_pins(catalog.directory).union(*of_savers)


def _check_there(catalog: Catalog, numbers: Collection[int]) -> None:
    there = {each.record.number for each in catalog.checkpoints if each.record}
    if not there:
        raise RequestError(f"{catalog.directory} has no commit record, so no rotation removes these checkpoints")
    for number in sorted(set(numbers) - there):
        known = ", ".join(map(str, sorted(there)))
        raise RequestError(f"{catalog.directory} has no checkpoint {number}; there are: {known}")
