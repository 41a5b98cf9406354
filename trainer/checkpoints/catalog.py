"""What is in a checkpoint directory, whoever wrote it, and which checkpoint a person means."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from trainer.checkpoints.record import best_first
from trainer.checkpoints.store import INDEX, STATE_FILE
from trainer.checkpoints.stored_checkpoint import StoredCheckpoint, stored_checkpoints
from trainer.checks import check_choice, suggestion
from trainer.errors import CheckpointError, RequestError
from trainer.runs.checkpoint_settings import checkpoint_settings_of
from trainer.runs.directory import RunDirectory
from trainer.state import CheckpointSettings

log = logging.getLogger(__name__)

STATE_LINE = re.compile(r'^(?:all_)?model_checkpoint_paths?: "(?P<path>.*)"$', re.MULTILINE)

LAST, BEST = "last", "best"
WORDS = (LAST, BEST)


@dataclass(frozen=True)
class Catalog:
    """The checkpoints of a directory, the oldest first.

    Args:
        directory: of the checkpoints.
        run: the run that they belong to, or None.
        checkpoints: all of them, damaged ones too.
        listed: the names in TensorFlow's ``checkpoint`` file, the newest first.
    """

    directory: Path
    run: RunDirectory | None
    checkpoints: tuple[StoredCheckpoint, ...]
    listed: tuple[str, ...] = ()

    @property
    def prefixes(self) -> list[str]:
        """What the names of its checkpoints begin with."""
        return sorted({each.name_prefix for each in self.checkpoints})

    def checkpointing(self, prefix: str) -> CheckpointSettings:
        """Returns what the config of the run says about the checkpoints of a prefix."""
        return checkpoint_settings_of(self.run.path if self.run else None, prefix)

    def last(self) -> StoredCheckpoint:
        """Returns the newest checkpoint that verifies; those that are passed over are named in a warning.

        Raises:
            CheckpointError: none does; the message lists what was tried.
        """
        problems = []
        for checkpoint in self._newest_first():
            try:
                checkpoint.verify()
            except CheckpointError as error:
                problems.append(str(error))
            else:
                for problem in problems:
                    log.warning("passed over: %s", problem)
                return checkpoint
        reasons = "\n  ".join(problems)
        raise CheckpointError(f"{self.directory} has no good checkpoint:\n  {reasons}")

    def _newest_first(self) -> list[StoredCheckpoint]:
        # One without a number, such as an average, is no step of the training where others are.
        candidates = [each for each in self.checkpoints if each.number is not None] or list(self.checkpoints)
        # Files of a plain Saver have no record that tells their order; its own list names the newest.
        candidates.reverse()
        candidates.sort(key=lambda each: each.record is not None or each.name not in self.listed[:1])
        return candidates

    def best(self, monitor: str | None = None, mode: str | None = None) -> StoredCheckpoint:
        """Returns the checkpoint with the best metric, as its commit record has it.

        Args:
            monitor: the metric; None for the one that the run's config names.
            mode: ``min`` or ``max``; None for the config's.

        Raises:
            RequestError: no record has the metric; the message has close names.
        """
        for prefix in self.prefixes:
            known = self.checkpointing(prefix)
            wanted, end = monitor or known.monitor, check_choice("mode", mode or known.mode, ("min", "max"))
            records = [each.record for each in self.checkpoints if each.record and each.name_prefix == prefix]
            if ranked := best_first(records, wanted, end):
                return self.named(ranked[0].name)
        metrics = {name for each in self.checkpoints if each.record for name in each.record.metrics}
        if not metrics:
            raise RequestError(f"{self.directory}: no checkpoint has a commit record with metrics to be best by")
        raise RequestError(f"no checkpoint has the metric {wanted!r}; {suggestion(wanted, metrics)}")

    def named(self, which: str) -> StoredCheckpoint:
        """Returns the checkpoint of a name or a number.

        Raises:
            RequestError: there is none; the message has close names.
        """
        exact = [each for each in self.checkpoints if each.name == which]
        # model-7+43 was saved inside the eighth epoch: 7 means the one at the end of the seventh.
        numbered = sorted(
            (each for each in self.checkpoints if str(each.number) == which), key=lambda c: ("+" in c.name, c.name)
        )
        if not exact and not numbered:
            names = [each.name for each in self.checkpoints]
            raise RequestError(f"{self.directory} has no checkpoint {which!r}; {suggestion(which, names)}")
        if not exact and len({each.name_prefix for each in numbered}) > 1:
            raise RequestError(f"{which!r} may be {' or '.join(each.name for each in numbered)}; give the name")
        return (exact or numbered)[0]


def read_catalog(path: Path) -> Catalog:
    """Returns what is in a run directory or a checkpoint directory; reads no large file.

    Raises:
        RequestError: it is no directory, or holds no checkpoint; the message says what is there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("model-90", "model-100"):
        ...     for suffix in (".index", ".data-00000-of-00001"):
        ...         (folder / f"{name}{suffix}").touch()
        >>> [each.name for each in read_catalog(folder).checkpoints]
        ['model-90', 'model-100']
        >>> find_checkpoint(folder).number, find_checkpoint(f"{folder}@90").name
        (100, 'model-90')
    """
    if not path.is_dir():
        raise RequestError(f"there is no directory {path}{_nearest(path)}")
    directory = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    checkpoints = stored_checkpoints(directory)
    if not checkpoints:
        there = sorted(each.name for each in directory.iterdir())
        found = f"found {', '.join(there[:5])}{', ...' if len(there) > 5 else ''}" if there else "it is empty"
        listed = ", ".join(listed_names(directory)[:3])
        gone = f"; {STATE_FILE} names {listed}, whose files are not here" if listed else ""
        raise RequestError(
            f"{directory} holds no checkpoint (looked for *{INDEX}, or a run's checkpoints/; {found}{gone})"
        )
    # The directory "." has a name and a parent only as an absolute path.
    above = path.parent if path.name else path.absolute().parent
    run = RunDirectory(path if directory != path else above)
    return Catalog(directory, run if run.run_file.is_file() else None, checkpoints, listed_names(directory))


def find_checkpoint(reference: str | Path, monitor: str | None = None, mode: str | None = None) -> StoredCheckpoint:
    """Returns the checkpoint that a person means.

    Args:
        reference: a prefix of files (``.../model-300``); a run directory or a checkpoint
            directory, for its newest good checkpoint; or ``DIRECTORY@WHICH`` with a number, a
            name, ``last`` or ``best``.
        monitor: the metric of ``best``; None for the one of the run's config.
        mode: ``min`` or ``max``; None for the config's.

    Raises:
        RequestError: there is none; the message says what is there.
        CheckpointError: it is there and is damaged at a glance.

    Example:
        >>> find_checkpoint("outputs/nowhere@best")
        Traceback (most recent call last):
            ...
        trainer.errors.RequestError: there is no directory outputs/nowhere
    """
    found = locate(reference, monitor, mode)
    if found.problem:
        raise CheckpointError(found.problem)
    return found


def locate(reference: str | Path, monitor: str | None = None, mode: str | None = None) -> StoredCheckpoint:
    """As ``find``, and returns a damaged checkpoint too."""
    reference, path = str(reference), Path(reference)
    if path.is_dir():
        return read_catalog(path).last()
    folder, at, which = reference.rpartition("@")
    if at and not path.with_name(path.name + INDEX).exists():
        catalog = read_catalog(Path(folder))
        if which in WORDS:
            return catalog.last() if which == LAST else catalog.best(monitor, mode)
        return catalog.named(which)
    name = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path.name)
    if not path.parent.is_dir():
        raise RequestError(f"there is no directory {path.parent}{_nearest(path.parent)}")
    there = {each.name: each for each in stored_checkpoints(path.parent)}
    if name not in there:
        hint = suggestion(name, there) if there else "there is no checkpoint in that directory"
        raise RequestError(f"there is no checkpoint {path}; {hint}")
    return there[name]


def list_checkpoints(path: str | Path) -> tuple[StoredCheckpoint, ...]:
    """Returns the checkpoints of a run or of a directory, the oldest first, damaged ones included.

    Raises:
        RequestError: There is no directory, or no checkpoint in it.
    """
    return read_catalog(Path(path)).checkpoints


def run_of(checkpoint: StoredCheckpoint) -> RunDirectory | None:
    """Returns the run that a checkpoint belongs to, or None."""
    return read_catalog(checkpoint.directory).run


def listed_names(directory: Path) -> tuple[str, ...]:
    """Returns the names in TensorFlow's own list, the newest first; the directories in it are dropped."""
    try:
        text = (directory / STATE_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(dict.fromkeys(Path(match["path"]).name for match in STATE_LINE.finditer(text)))


def _nearest(path: Path) -> str:
    """Returns a hint with the close names beside a path, where there are any."""
    if not path.parent.is_dir():
        return ""
    hint = suggestion(path.name, [each.name for each in path.parent.iterdir() if each.is_dir()])
    return f"; {hint}" if hint.startswith("did you mean") else ""
