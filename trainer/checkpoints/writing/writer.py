"""Writer of checkpoints, with a ``tf.compat.v1.train.Saver`` and commit records."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.contents import Tensor, differences
from trainer.checkpoints.reading.reader import stored_tensors
from trainer.checkpoints.record import CommitRecord, best_first
from trainer.checkpoints.retention.policy import Retention
from trainer.checkpoints.retention.rotation import apply_rotation, plan_rotation
from trainer.checkpoints.store import DATA, CheckpointStore
from trainer.checkpoints.writing.saved_values import SavedValues
from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
from trainer.checkpoints.writing.stored_graph import stored_graph
from trainer.checkpoints.writing.sync_follower import SyncFollower
from trainer.errors import CheckpointError, describe
from trainer.files import check_free_space, write_atomically

v1 = tf.compat.v1

SPARE_BYTES = 2 * 2**20
"""Room for index, graph and record, in addition to the variables."""

MAX_SHOWN = 6
"""Max number of tensors in the message about a file that does not fit."""

LARGE_BYTES = 2**20
"""Tensors from this size on are read in a session, so that Python's lock does not block training."""


class CheckpointWriter:
    """Writer that saves, verifies, commits and rotates the checkpoints of a run.

    Args:
        store: Store of the files.
        saved: Values that the checkpoints hold; their Saver never deletes, since commit records decide the rotation.
        retention: Policy that decides which checkpoints are kept.
        write_meta_graph: ``first``, ``every`` or ``never``.
    """

    def __init__(self, store: CheckpointStore, saved: SavedValues, retention: Retention, write_meta_graph: str) -> None:
        self._store = store
        self._saved = saved
        self._retention = retention
        self._write_meta_graph = write_meta_graph
        self._meta_is_written = False

    def save(self, session: Any, values: LiveValues | Snapshot, record: CommitRecord) -> CommitRecord:
        """Writes a checkpoint, reads it back and commits it; on an error, no file of it is left.

        Args:
            session: Session that holds the values.
            values: Values to save; a snapshot is released as soon as it is written.
            record: Record without ``files``.

        Returns:
            Committed record, with ``files``.

        Raises:
            NonFiniteError: A variable is not finite; nothing was written.
            OSError: The disk is full or fails; older checkpoints are unchanged.
            CheckpointError: The Saver or the verification failed; older checkpoints are unchanged.
        """
        path = str(self._store.path(record.name))
        try:
            with SyncFollower(self._store.file(record.name, DATA)) as follower:
                self._write(session, values, record, path)
                data = follower.finish()
                self._put_meta_beside(record.name, session.graph)
                read_every_tensor(path)
                check_restorable(path, self._saved.wanted)
            committed = replace(record, files=self._store.measure(record.name, data))
            self._store.commit(committed)
        except BaseException as error:
            # An older checkpoint of the same step may have the same name; it still counts.
            self._store.clean_up()
            if isinstance(error, tf.errors.OpError):
                raise CheckpointError(f"{record.name} cannot be written: {describe(error)}") from error
            raise
        self._store.end(record.name)
        return committed

    def _write(self, session: Any, values: LiveValues | Snapshot, record: CommitRecord, path: str) -> None:
        try:
            values.finite.check(session, record.global_step)
            check_free_space(
                self._store.directory, self._saved.variable_bytes + SPARE_BYTES, f"the checkpoint {record.name}"
            )
            self._store.begin(record.name)
            # A Saver needs a default graph, and each thread has its own.
            with session.graph.as_default():
                values.saver.save(session, path, write_meta_graph=False, write_state=False)
        finally:
            values.release(session)

    def rotate(self) -> None:
        """Applies the retention to the checkpoints and lists the kept ones in TensorFlow's state file."""
        apply_rotation(self._store, plan_rotation(self._store, self._retention))

    def best(self) -> CommitRecord | None:
        """Returns the best checkpoint by the retention's metric, or None if no checkpoint has it."""
        ranked = best_first(self._store.records()[0], self._retention.monitor, self._retention.mode)
        return ranked[0] if ranked else None

    def _put_meta_beside(self, name: str, graph: Any) -> None:
        if self._write_meta_graph == "never":
            return
        if self._write_meta_graph == "every" or not self._meta_is_written:
            saved = self._saved
            with graph.as_default():
                stored = stored_graph(saved.live.saver, saved.signatures, saved.constructor_ops)
            meta = stored.SerializeToString(deterministic=True)
            file = self._store.meta_file
            if not file.is_file() or file.read_bytes() != meta:
                write_atomically(file, meta)
            self._meta_is_written = True
        self._store.link_meta(name)


def check_restorable(path: str, wanted: Mapping[str, Tensor]) -> None:
    """Compares the tensors of a checkpoint with those that the Saver in its ``.meta`` restores.

    Every slice of a tensor is there if the whole could be read.

    Raises:
        CheckpointError: The file lacks some, or holds others.
    """
    if found := differences(stored_tensors(Path(path)), wanted):
        raise CheckpointError(f"{path} could not be restored: {'; '.join(found[:MAX_SHOWN])}")


def read_every_tensor(path: str) -> None:
    """Reads a checkpoint back, which compares each tensor with its CRC.

    Raises:
        tf.errors.OpError: The bytes on the disk are not those that were written.
    """
    reader = tf.train.load_checkpoint(path)
    dtypes, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    large = {}
    for name, dtype in dtypes.items():
        # The state of a data pipeline is a variant, which has no form outside a graph.
        if dtype == tf.variant:
            continue
        if math.prod(shapes[name]) * dtype.size < LARGE_BYTES:
            reader.get_tensor(name)
        else:
            large[name] = dtype
    if large:
        _restore_one_by_one(path, large)


def _restore_one_by_one(path: str, dtypes: Mapping[str, Any]) -> None:
    """Reads tensors in a session, so that other threads can run; a reader holds Python's lock (GIL)."""
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        last = tf.no_op()
        for name, dtype in dtypes.items():
            with tf.control_dependencies([last]):
                (value,) = tf.raw_ops.RestoreV2(prefix=path, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype])
                last = value.op
        session.run(last)
