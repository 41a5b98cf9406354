"""Resolution of references to checkpoints: one rule for configs, command lines and Python."""

from __future__ import annotations

from pathlib import Path

from trainer.checkpoints.catalog import BEST, LAST, nothing_at, read_catalog
from trainer.checkpoints.store import INDEX
from trainer.checkpoints.stored_checkpoint import FILE_OF_CHECKPOINT, StoredCheckpoint, checkpoint_at
from trainer.errors import RequestError
from trainer.files import local_path

Reference = str | Path | StoredCheckpoint
"""Path, ``DIRECTORY@WHICH``, or a checkpoint that was resolved before."""


def resolve_checkpoint(
    reference: Reference,
    *,
    monitor: str | None = None,
    mode: str | None = None,
    allow_damaged: bool = False,
) -> StoredCheckpoint:
    """Returns the checkpoint that a reference means, of this trainer or of a plain ``tf.compat.v1.train.Saver``.

    | reference | means |
    |---|---|
    | ``.../model-300`` | the checkpoint with this prefix, also the one file of TensorFlow before 0.12 |
    | ``.../model-300.index`` | the checkpoint that this file belongs to; ``.meta``, ``.data-...``, ``.json`` alike |
    | a directory of checkpoints | its newest good checkpoint |
    | a run | the newest good checkpoint in it |
    | a directory of runs | the newest good checkpoint of the newest run that has one |
    | ``DIRECTORY@WHICH`` | the checkpoint of this number or name, ``last`` or ``best``, in any of these directories |

    Args:
        reference: Path or ``DIRECTORY@WHICH``; a checkpoint that was resolved before is returned as it is.
        monitor: Metric that decides which checkpoint is the best; None for that of the run's saver.
        mode: ``min`` or ``max``, the end of the metric that is best; None for that of the run's saver.
        allow_damaged: Whether a named checkpoint is returned unread, even if it is damaged. For a
            directory, the newest checkpoint that verifies is returned, and the newest of all where none does.

    Returns:
        Checkpoint; each byte was compared with its commit record if it has one.

    Raises:
        RequestError: There is no such checkpoint; the message has what was looked for and close names.
        CheckpointError: The checkpoint is damaged, or all checkpoints of a directory are.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("model-90", "model-100"):
        ...     for suffix in (".index", ".data-00000-of-00001"):
        ...         (folder / f"{name}{suffix}").touch()
        >>> resolve_checkpoint(folder).name, resolve_checkpoint(f"{folder}@90").name
        ('model-100', 'model-90')
        >>> resolve_checkpoint("nowhere/mine@best")
        Traceback (most recent call last):
            ...
        trainer.errors.RequestError: there is no directory nowhere
    """
    if isinstance(reference, StoredCheckpoint):
        return reference
    directory, which = split_reference(reference)
    if which is None and not directory.is_dir():
        found = _at(directory)
    elif which in (None, LAST):
        return read_catalog(directory).last(allow_damaged=allow_damaged)
    else:
        catalog = read_catalog(directory)
        found = catalog.best(monitor, mode) if which == BEST else catalog.named(str(which))
    if not allow_damaged:
        found.verify()
    return found


def split_reference(reference: str | Path) -> tuple[Path, str | None]:
    """Returns the path of a reference and the part after its ``@``.

    Args:
        reference: Path or ``DIRECTORY@WHICH``; an ``@`` in the name of an existing file belongs to the path.

    Returns:
        Directory and WHICH, or path and None.

    Example:
        >>> split_reference("outputs/mine@best")
        (PosixPath('outputs/mine'), 'best')
        >>> split_reference("outputs/m@ine/model-3")
        (PosixPath('outputs/m@ine/model-3'), None)
    """
    path = local_path(reference)
    text = str(path)
    directory, at, which = text.rpartition("@")
    if not at or "/" in which or path.exists() or checkpoint_at(path):
        return path, None
    return Path(directory), which


def newest_is_meant(reference: str | Path) -> Path | None:
    """Returns the directory whose newest checkpoint a reference means, or None if it names a checkpoint."""
    path, which = split_reference(reference)
    return path if which == LAST or (which is None and path.is_dir()) else None


def _at(path: Path) -> StoredCheckpoint:
    """Returns the checkpoint of a prefix or of one of its files.

    Raises:
        RequestError: There is no such checkpoint.
    """
    found = checkpoint_at(path)
    if found is not None:
        return found
    if not path.is_file():
        raise RequestError(nothing_at(path))
    part = FILE_OF_CHECKPOINT.fullmatch(path.name)
    if part:
        raise RequestError(f"{path} belongs to no checkpoint: there is no {part['name']}{INDEX} beside it")
    raise RequestError(
        f"{path} is not a checkpoint: there is no {path.name}{INDEX} beside it, and it is not in the one-file format "
        "of TensorFlow before 0.12"
    )
