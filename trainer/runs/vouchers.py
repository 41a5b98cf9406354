"""Vouchers for files of one's own: what a person has exported with ``trust`` opens again without it; no TensorFlow.

A manifest can be written by anyone, so its checksums say nothing of where a file is from. A voucher is a keyed checksum
(HMAC, RFC 2104) by a key that only this user's files hold.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainer.files import sha256_of

log = logging.getLogger(__name__)

KEY_BYTES = 32

MANIFEST = Path("assets.extra", "manifest.json")
"""Manifest of a SavedModel that names the source checkpoint; loaders ignore the files in ``assets.extra``."""

VOUCHED = ("saved_model.pb", "assets")
"""Files of a SavedModel that say what it does."""


def key_file() -> Path:
    """Returns the path of the user's key, in the directory for state of the XDG base directories."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "graph-trainer" / "key"


def voucher_for(digest: str) -> str | None:
    """Returns a voucher for a file; None, with a warning, where the user's key cannot be written.

    Args:
        digest: Checksum of the file's content.
    """
    path = key_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
        return _voucher(path.read_bytes(), digest)
    except OSError as error:
        log.warning("%s cannot be written (%s), so this export needs trust to be opened", path, error.strerror)
        return None


def is_vouched(digest: str, voucher: Any) -> bool:
    """Returns whether a voucher is this user's, for a file of this checksum.

    Args:
        digest: Checksum of the file's content.
        voucher: What stands for a voucher in a manifest.
    """
    try:
        key = key_file().read_bytes()
    except OSError:
        return False
    known = isinstance(voucher, str) and voucher.isascii() and len(key) == KEY_BYTES
    return known and hmac.compare_digest(voucher, _voucher(key, digest))


def _voucher(key: bytes, digest: str) -> str:
    return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()


def digest_of_files(directory: Path, names: Iterable[str]) -> str:
    """Returns the checksum of files and their names.

    Args:
        directory: Directory of the files.
        names: Paths below it, in any order; a directory stands for all files in it.
    """
    found = {path for name in names for path in _files(directory / name)}
    lines = [f"{sha256_of(path)} {path.relative_to(directory)}" for path in sorted(found)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
