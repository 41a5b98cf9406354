"""Files that a run left, with their sizes and the result of their checks; reads no TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.checkpoints.stored_checkpoint import StoredCheckpoint
from trainer.errors import CheckpointError
from trainer.files import sha256_of
from trainer.runs.vouchers import MANIFEST

OTHERS = ("run.json", "metrics.jsonl")
GOOD, BAD, UNCHECKED = "good", "bad", "unchecked"


@dataclass(frozen=True)
class Artefact:
    """File, or files that belong together.

    Args:
        name: Path in the run directory.
        kind: ``checkpoint``, ``frozen graph``, ``SavedModel`` or ``file``.
        size: Bytes on the disk.
        verdict: ``good``, ``bad`` or ``unchecked``.
        check: What was compared, or what is wrong.
    """

    name: str
    kind: str
    size: int
    verdict: str
    check: str


def artefacts_of(
    run: Path, checkpoints: Sequence[StoredCheckpoint], exports: Sequence[str], *, verify: bool
) -> tuple[Artefact, ...]:
    """Returns the artefacts of a run: checkpoints, exports and the files of its records.

    Args:
        run: Run directory.
        checkpoints: Checkpoints of the run.
        exports: Paths of the exports that ``run.json`` names.
        verify: Whether every byte is compared with its checksum, not sizes alone.
    """
    known = {*exports, *(f"export/frozen/{each.name}" for each in _files(run / "export/frozen", "*.pb"))}
    inside = [name for name in sorted(known) if _is_inside(name)]
    return (
        *(_checkpoint(each, verify=verify) for each in checkpoints),
        *(_export(run, name, verify=verify) for name in inside),
        *(Artefact(name, "file", bytes_of(run / name), UNCHECKED, "") for name in OTHERS if (run / name).is_file()),
    )


def _files(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(pattern)) if directory.is_dir() else []


def _is_inside(name: str) -> bool:
    """Returns whether a name of ``run.json``, which may come from anywhere, leads to a place in the run."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def bytes_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files below a directory; 0 for what is gone."""
    try:
        return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())
    except OSError:
        return 0


def _checkpoint(checkpoint: StoredCheckpoint, *, verify: bool) -> Artefact:
    name, size = f"checkpoints/{checkpoint.name}", sum(bytes_of(each) for each in checkpoint.files)
    if checkpoint.problem:
        return Artefact(name, "checkpoint", size, BAD, checkpoint.problem)
    if checkpoint.record is None:
        return Artefact(name, "checkpoint", size, UNCHECKED, "no commit record to compare with")
    part = "" if checkpoint.record.complete else "; holds a part of the variables"
    if not verify:
        return Artefact(name, "checkpoint", size, GOOD, f"committed, sizes as recorded{part}")
    try:
        checkpoint.verify()
    except (CheckpointError, OSError) as error:
        return Artefact(name, "checkpoint", size, BAD, str(error))
    return Artefact(name, "checkpoint", size, GOOD, f"every byte as committed{part}")


def _export(run: Path, name: str, *, verify: bool) -> Artefact:
    path = run / name
    is_frozen = path.suffix == ".pb"
    kind, size = "frozen graph" if is_frozen else "SavedModel" if "saved_model" in name else "file", bytes_of(path)
    if not path.exists():
        return Artefact(name, kind, 0, BAD, "run.json names it, and it is not there")
    manifest = _manifest(path.with_suffix(".json") if is_frozen else path / MANIFEST)
    if not manifest:
        return Artefact(name, kind, size, UNCHECKED, "no manifest to compare with")
    source = f"; from {manifest['checkpoint']}" if isinstance(manifest.get("checkpoint"), str) else ""
    if not is_frozen:
        whole = path.is_file() or (path / "saved_model.pb").is_file()
        check = f"read back when it was written{source}" if whole else "saved_model.pb is not there"
        return Artefact(name, kind, size, GOOD if whole else BAD, check)
    return Artefact(name, kind, size, *_frozen_check(path, manifest, source, verify=verify))


def _frozen_check(path: Path, manifest: dict[str, Any], source: str, *, verify: bool) -> tuple[str, str]:
    if manifest.get("size") != path.stat().st_size:
        return BAD, f"has another size than {path.with_suffix('.json').name} says"
    if not verify:
        return GOOD, f"read back when it was written, size as recorded{source}"
    if manifest.get("sha256") != sha256_of(path):
        return BAD, f"has another SHA-256 than {path.with_suffix('.json').name} says"
    return GOOD, f"every byte as written and read back (SHA-256){source}"


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
