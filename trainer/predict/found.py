"""Finding a checkpoint and its graph in what a run, or bare TensorFlow, left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format

from trainer.checkpoints.record import read_record
from trainer.checkpoints.store import META, RECORD, STATE_FILE, CheckpointStore, newest_good
from trainer.errors import CheckpointError, RequestError
from trainer.predict.places import has_checkpoint

NUMBERED = re.compile(r"(?P<prefix>.+)-(?P<number>\d+)(\+\d+)?")


def find_checkpoint(path: Path) -> Path:
    """Returns the prefix of a checkpoint: the one that is named, or the newest good one of a directory.

    Where there are commit records they decide. Else TensorFlow's list does, whose paths may be of
    another machine: what counts is what lies beside the list.

    Args:
        path: a run directory, a checkpoint directory, or a prefix.

    Raises:
        RequestError: there is none; the message says what was looked for and what was found.
        CheckpointError: there are some and none is good.
    """
    if path.is_dir():
        directory = path / "checkpoints" if (path / "checkpoints").is_dir() else path
        return _recorded(directory) or _listed(directory) or _highest(directory) or _none(directory)
    if not has_checkpoint(path):
        raise RequestError(f"there is no checkpoint {path}: {path.name}.index is not in {path.parent}")
    record = path.with_name(f"{path.name}{RECORD}")
    if record.is_file():
        CheckpointStore(path.parent, _prefix_of(path.name)).verify(read_record(record))
    return path


def find_meta(prefix: Path) -> Path:
    """Returns the ``.meta`` of a checkpoint: its own, else one of the same series.

    Raises:
        RequestError: there is none; the message says what was looked for and what was found.
    """
    series = _prefix_of(prefix.name)
    own = [prefix.with_name(f"{name}{META}") for name in (prefix.name, series)]
    others = sorted(prefix.parent.glob(f"*{META}"), key=lambda path: path.stat().st_mtime_ns)
    same = [path for path in others if _prefix_of(path.stem) == series]
    found = next((path for path in [*own, *reversed(same)] if path.is_file()), None)
    if found is None:
        there = ", ".join(path.name for path in others) or "none"
        raise RequestError(
            f"{prefix} has no graph: looked for {own[0].name} and {own[1].name}; .meta files there: {there}; name one "
            "with meta=, or open an export"
        )
    return found


def _prefix_of(name: str) -> str:
    match = NUMBERED.fullmatch(name)
    return match["prefix"] if match else name


def _recorded(directory: Path) -> Path | None:
    names = (path.stem for path in directory.glob(f"*{RECORD}") if NUMBERED.fullmatch(path.stem))
    found, errors = [], []
    for prefix in sorted({_prefix_of(name) for name in names}):
        try:
            # What leaves out optimizer slots is no less good to predict from.
            record, _ = newest_good(CheckpointStore(directory, prefix), complete_only=False)
            found.append(record)
        except CheckpointError as error:
            errors.append(error)
    if found:
        return directory / max(found, key=lambda record: record.saved_at).name
    if errors:
        raise errors[0]
    return None


def listed_names(directory: Path) -> list[str]:
    """Returns the names in TensorFlow's list, the newest first; the directories in it are dropped."""
    try:
        state = tf.train.get_checkpoint_state(str(directory))
    except (ValueError, text_format.ParseError, tf.errors.OpError):
        return []
    if state is None:
        return []
    paths = [state.model_checkpoint_path, *reversed(state.all_model_checkpoint_paths)]
    return list(dict.fromkeys(re.split(r"[\\/]", path)[-1] for path in paths))


def _listed(directory: Path) -> Path | None:
    return next((directory / name for name in listed_names(directory) if has_checkpoint(directory / name)), None)


def _highest(directory: Path) -> Path | None:
    def newness(prefix: Path) -> tuple[int, int]:
        match = NUMBERED.fullmatch(prefix.name)
        return int(match["number"]) if match else -1, prefix.stat().st_mtime_ns if prefix.exists() else 0

    return max(_unlisted(directory), key=newness, default=None)


def _unlisted(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.suffix in (".index", META) and has_checkpoint(path.with_suffix("")):
            yield path.with_suffix("")


def _none(directory: Path) -> Path:
    names = sorted(path.name for path in directory.iterdir())
    there = f"found: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "it is empty"
    listed = listed_names(directory)
    gone = f"; {STATE_FILE} names {', '.join(listed[:3])}, whose files are not here" if listed else ""
    raise RequestError(
        f"{directory} has no checkpoint: looked for commit records (model-N.json), TensorFlow's list ({STATE_FILE}) "
        f"and files NAME.index; {there}{gone}"
    )
