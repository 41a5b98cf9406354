"""Memory that this process may still take."""

from __future__ import annotations

from pathlib import Path

CGROUP_LIMITS = (
    ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current", "sys/fs/cgroup/memory.stat", "inactive_file"),
    (
        "sys/fs/cgroup/memory/memory.limit_in_bytes",
        "sys/fs/cgroup/memory/memory.usage_in_bytes",
        "sys/fs/cgroup/memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Files with a container's limit, use and statistics, and the field of reclaimable memory; cgroup versions 2 and 1.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the Linux kernel.
"""


def available_bytes(root: Path = Path("/")) -> int | None:
    """Returns the memory that is free for this process: that of the machine or, if less, of its container.

    Args:
        root: Root of the file system that has ``proc`` and ``sys``.

    Returns:
        Number of bytes; None where the system does not say, as outside Linux.
    """
    found = [_of_machine(root), *(_of_container(root, *names) for names in CGROUP_LIMITS)]
    return min((each for each in found if each is not None), default=None)


def has_room(needed: int, available: int | None) -> bool:
    """Returns whether so many bytes may be taken: an eighth is left to others; True where nothing is known.

    Example:
        >>> has_room(900, available=1000), has_room(800, available=1000), has_room(800, available=None)
        (False, True, True)
    """
    return available is None or needed <= available - available // 8


def _of_machine(root: Path) -> int | None:
    kilobytes = _fields(root / "proc/meminfo").get("MemAvailable:")
    return None if kilobytes is None else kilobytes * 1024


def _of_container(root: Path, limit: str, usage: str, statistics: str, reclaimable: str) -> int | None:
    try:
        free = int((root / limit).read_text()) - int((root / usage).read_text())
    except (OSError, ValueError):
        return None
    return max(0, free + _fields(root / statistics).get(reclaimable, 0))


def _fields(path: Path) -> dict[str, int]:
    """Returns the numbers of a file that has a name and a number on each line."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
