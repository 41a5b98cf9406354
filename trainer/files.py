"""Files written so that a reader, or a power loss, sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import xxhash

from trainer.errors import RequestError

TEMPORARY = ".tmp-"
"""Prefix of the names of unfinished files, which marks leftovers as ours."""


SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>/.*)", re.DOTALL)
REMOTE = (
    "gs",
    "gcs",
    "s3",
    "s3a",
    "s3n",
    "hdfs",
    "http",
    "https",
    "ftp",
    "sftp",
    "abfs",
    "abfss",
    "az",
    "wasb",
    "wasbs",
)
"""Schemes that are recognised after one slash too, as ``pathlib`` joins two slashes into one."""


def local_path(path: str | Path, argument: str = "") -> Path:
    r"""Returns the path that a user has given; ``file:///DIRECTORY`` is the same as ``/DIRECTORY``.

    ``C:\x`` and names that merely have a colon in them are paths as they are. ``~`` is the user's home: no shell
    replaces it in ``run.dir=~/x``.

    Args:
        path: Path or ``file`` URI.
        argument: Name of the argument or config key, for the message.

    Raises:
        RequestError: The path is empty, has another scheme, or names another machine.

    Example:
        >>> str(local_path("file:///tmp/my%20run")), str(local_path("a:b/c"))
        ('/tmp/my run', 'a:b/c')
        >>> local_path("gs://bucket/x", "to")
        Traceback (most recent call last):
        trainer.errors.RequestError: to (gs://bucket/x) is not on this machine; give a local path, and copy the files
    """
    if path == "":
        raise RequestError(f"{argument or 'a path'} is empty; give a path", argument=argument)
    text = str(path)
    match = SCHEME.fullmatch(text)
    scheme = match["scheme"].lower() if match else ""
    if match is None or not (match["rest"].startswith("//") or scheme in (*REMOTE, "file")):
        return Path(path).expanduser() if text.startswith("~/") else Path(path)
    shown = f"{argument} ({text})" if argument else text
    if scheme != "file":
        raise RequestError(f"{shown} is not on this machine; give a local path, and copy the files", argument=argument)
    host, local = "", match["rest"]
    if local.startswith("//"):
        host, slash, rest = local[2:].partition("/")
        local = slash + rest
    if host.lower() not in ("", "localhost") or not local:
        raise RequestError(
            f"{shown} names the machine {host!r}; a local path has three slashes: file:///DIRECTORY", argument=argument
        )
    return Path(unquote(local))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a whole file under its final name; it is durable on return.

    Raises:
        OSError: Writing failed; nothing has changed under the final name, and no temporary file is left.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = temporary_beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def temporary_beside(path: Path) -> Path:
    """Returns a name in the same directory for an unfinished file."""
    return path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")


def remove_temporaries(directory: Path) -> None:
    """Removes the unfinished files and directories of killed processes; call it under the run's lock."""
    for path in list(directory.glob(f"{TEMPORARY}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_free_space(directory: Path, needed: int, what: str) -> None:
    """Refuses to start writing more than the disk has room for.

    Args:
        directory: Directory to write in; it need not exist yet.
        needed: Number of bytes.
        what: Name of what is written, for the message.

    Raises:
        OSError: There is less room; the code is ENOSPC.
    """
    nearest = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    free = shutil.disk_usage(nearest).free
    if free < needed:
        sizes = f"{what} needs {format_size(needed)} and {format_size(free)} are free"
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {sizes}", str(directory))


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, with the keys in the order given."""
    write_atomically(path, json.dumps(value, indent=2) + "\n")


def sync_file(path: Path) -> None:
    """Returns once the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Returns once the entries of a directory (names made, renamed, removed) are on the disk."""
    sync_file(path)


def make_directory(path: Path) -> None:
    """Makes a directory that does not exist yet, and those above it; they are durable on return.

    Raises:
        FileExistsError: The directory exists.
        OSError: The directory cannot be made.
    """
    above = next(each for each in path.absolute().parents if each.exists())
    path.mkdir(parents=True)
    for each in path.absolute().parents:
        sync_directory(each)
        if each == above:
            break


def checksum_of(path: Path) -> str:
    """Returns the 128-bit XXH3 of a file's content, in hexadecimal: it shows damage, not forgery.

    It runs at the speed of memory, so that gigabytes can be verified before each resume.
    """
    digest, block = xxhash.xxh3_128(), bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def format_size(count: int) -> str:
    """Returns a number of bytes in a readable unit.

    Example:
        >>> format_size(812), format_size(25_300), format_size(4_200_000_000)
        ('812 B', '25.3 kB', '4.2 GB')
    """
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
