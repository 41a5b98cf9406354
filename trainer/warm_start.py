"""The settings of a warm start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.checks import check_names


@dataclass(frozen=True)
class WarmStart:
    """Warm start: variables that a new run takes from a checkpoint; a resume ignores it.

    Args:
        path: Reference to a checkpoint: a run directory, a directory of runs, a checkpoint directory,
            each with ``@WHICH``, or a prefix of files; or a ``.weights.h5``, ``.keras``, ``.npz``, a SavedModel, a
            checkpoint of ``tf.train.Checkpoint`` or a frozen ``.pb``.
        variables: Variables to take: None for all that model and file both have; names or patterns; or
            a mapping from the name in the file to the name of the variable, where one ``*`` on each
            side stands for the same text, as in ``{"old/*": "new/*"}``.
        exclude: Names or patterns of variables that keep their own initial values.

    Raises:
        TypeError: A value is of the wrong kind.

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
                raise TypeError(f"warm_start.variables holds {wrong[0]!r}, which is not a name")
        elif self.variables is not None:
            object.__setattr__(self, "variables", check_names("warm_start.variables", self.variables))
        object.__setattr__(self, "exclude", check_names("warm_start.exclude", self.exclude))
