"""Name of the program as the user typed it, for usage lines, ``run.json`` and tab completion."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

VARIABLE = "TRAINER_PROGRAM"
"""Environment variable in which a script of ``scripts/`` passes its own name on."""

MODULE = "python -m trainer"
COMMAND = "graph-trainer"


def program_name() -> str:
    """Returns the command that starts this program: ``graph-trainer``, ``python -m trainer`` or a script.

    The environment variable is removed, so that child processes do not inherit the name.
    """
    script = os.environ.pop(VARIABLE, "")
    if script:
        return shlex.quote(script)
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name.startswith("trainer"):
        return f"python -m {spec.name.removesuffix('.__main__')}"
    return command_name(sys.argv[0]) if Path(sys.argv[0]).is_file() else MODULE


def command_name(path: str) -> str:
    """Returns the name of an executable if it is on the search path of the shell, else its path."""
    found = shutil.which(Path(path).name)
    return Path(path).name if found and Path(found).samefile(path) else path


def import_from_working_directory() -> None:
    """Makes modules in the working directory importable; ``python -m`` does so, an installed command does not."""
    here = str(Path.cwd())
    if not getattr(sys.flags, "safe_path", False) and not {here, ""} & set(sys.path):
        sys.path.insert(0, here)
