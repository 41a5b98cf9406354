"""The settings of a warm start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.checks import check_names


@dataclass(frozen=True)
class WarmStart:
    """What a new run begins with; a resume never comes back to it.

    Args:
        path: a run directory, a directory of runs, a checkpoint directory, or a prefix of files.
        variables: None for all that model and file both have; names or patterns of variables; or
            name in the file to name of the variable. With one ``*`` in both, as in
            ``{"old/*": "new/*"}``, it stands for the same text.
        exclude: names or patterns of variables that keep the model's own start.

    Raises:
        TypeError: a value is of the wrong kind.

    Example:
        >>> WarmStart(Path("outputs/mine"), ["body/*"]).variables
        ('body/*',)
    """

    path: Path
    variables: Sequence[str] | Mapping[str, str] | None = None
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.variables, Mapping):
            wrong = [each for pair in self.variables.items() for each in pair if not isinstance(each, str)]
            if wrong:
                raise TypeError(f"warm_start.variables holds {wrong[0]!r}, which is no name")
        elif self.variables is not None:
            object.__setattr__(self, "variables", check_names("warm_start.variables", self.variables))
        object.__setattr__(self, "exclude", check_names("warm_start.exclude", self.exclude))
