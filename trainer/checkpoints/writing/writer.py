"""Writing a checkpoint with a ``tf.compat.v1.train.Saver`` and committing it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from trainer.checkpoints.record import CommitRecord, best_first
from trainer.checkpoints.retention.policy import Retention
from trainer.checkpoints.retention.rotation import apply_rotation, plan_rotation
from trainer.checkpoints.store import DATA, CheckpointStore
from trainer.checkpoints.writing.saved_values import SavedValues
from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
from trainer.checkpoints.writing.sync_follower import SyncFollower
from trainer.errors import CheckpointError, describe
from trainer.files import check_free_space, write_atomically

v1 = tf.compat.v1

SPARE_BYTES = 2 * 2**20
"""Besides the variables: index, graph and record."""

LARGE_BYTES = 2**20
"""A tensor of so much takes longer to read than training may be kept from its next call."""

# Collections that a MetaGraphDef can hold; others (iterators, Keras objects) only bring warnings.
META_COLLECTIONS = (
    v1.GraphKeys.GLOBAL_VARIABLES,
    v1.GraphKeys.LOCAL_VARIABLES,
    v1.GraphKeys.TRAINABLE_VARIABLES,
    v1.GraphKeys.GLOBAL_STEP,
)


class CheckpointWriter:
    """Saves, verifies, commits and rotates the checkpoints of a run.

    Args:
        store: Store of the files.
        saved: Values that the checkpoints hold; rotation is decided from the commit records, so its
            Saver never deletes.
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
        """Writes a checkpoint, reads it back and commits it; where that fails, nothing of it is left.

        Args:
            session: Session that holds the values.
            values: Values to save; a snapshot is released as soon as it is written.
            record: Record without ``files``.

        Returns:
            The record as committed.

        Raises:
            NonFiniteError: A variable is not finite; nothing was written.
            OSError, CheckpointError: The disk is full or fails; older checkpoints are as they were.
        """
        path = str(self._store.path(record.name))
        try:
            with SyncFollower(self._store.file(record.name, DATA)) as follower:
                self._write(session, values, record, path)
                data = follower.finish()
                self._put_meta_beside(record.name, session.graph)
                read_every_tensor(path)
            committed = replace(record, files=self._store.measure(record.name, data))
            self._store.commit(committed)
        except BaseException as error:
            # The name may be that of an older checkpoint of the same step, which still counts.
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
            # A Saver refuses to work where no graph is the default one, and each thread has its own default.
            with session.graph.as_default():
                values.saver.save(session, path, write_meta_graph=False, write_state=False)
        finally:
            values.release(session)

    def rotate(self) -> None:
        """Applies the retention to what is there and lists what stays in TensorFlow's state file."""
        apply_rotation(self._store, plan_rotation(self._store, self._retention))

    def best(self) -> CommitRecord | None:
        """Returns the best checkpoint by the retention's metric, if any has it."""
        ranked = best_first(self._store.records()[0], self._retention.monitor, self._retention.mode)
        return ranked[0] if ranked else None

    def _put_meta_beside(self, name: str, graph: Any) -> None:
        if self._write_meta_graph == "never":
            return
        if self._write_meta_graph == "every" or not self._meta_is_written:
            with graph.as_default():
                exported = self._saved.live.saver.export_meta_graph(collection_list=META_COLLECTIONS)
            for key, signature in self._saved.signatures.items():
                exported.signature_def[key].CopyFrom(signature)
            meta = exported.SerializeToString(deterministic=True)
            file = self._store.meta_file
            if not file.is_file() or file.read_bytes() != meta:
                write_atomically(file, meta)
            self._meta_is_written = True
        self._store.link_meta(name)


def read_every_tensor(path: str) -> None:
    """Reads a checkpoint back: each tensor's CRC is compared as it is read.

    Raises:
        tf.errors.OpError: what is on the disk is not what was written.
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
    """Reads tensors in a session, which lets the other threads run meanwhile; a reader holds Python's lock."""
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        last = tf.no_op()
        for name, dtype in dtypes.items():
            with tf.control_dependencies([last]):
                (value,) = tf.raw_ops.RestoreV2(prefix=path, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype])
                last = value.op
        session.run(last)
