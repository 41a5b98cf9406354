"""Settings of a training from Python, as its run stores them and a resume compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.config.changes import Change, changes
from trainer.errors import RequestError
from trainer.runs.settings import Settings
from trainer.runs.stored_config import stored_config

FEW = 6
"""Max number of differences in a message."""


def settings_to_store(settings: Settings, described: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings in the form of a config.

    Args:
        settings: Plain settings of the run.
        described: Description of model, optimizer and data, with the options of the data.
    """
    return {
        "fit": described,
        "seed": settings.seed,
        "trainable": None if settings.trainable is None else list(settings.trainable),
        "loop": {
            "epochs": settings.epochs,
            "steps_per_epoch": settings.steps_per_epoch,
            "steps_per_call": settings.steps_per_call,
            "log_every_n_steps": settings.log_every_n_steps,
            "compile": settings.compile,
        },
    }


def accepted_changes(run: Path, stored: dict[str, Any], *, allow: bool) -> list[Change]:
    """Returns the changes that a resume accepts.

    Args:
        run: Directory of the run.
        stored: Settings of this call, as ``settings_to_store`` returns them.
        allow: Whether changes that affect the result are accepted.

    Raises:
        RequestError: Changes that affect the result are not allowed; the message lists them.
    """
    before = stored_config(run)
    if before is None:
        return []
    if "fit" not in before:
        raise RequestError(
            f"{run} is a run of the command line; continue it there, or give another directory", argument="directory"
        )
    found = changes(before, stored)
    refused = [str(each).removeprefix("fit.").removeprefix("loop.") for each in found if not each.is_harmless]
    if refused and not allow:
        more = f"\n  and {len(refused) - FEW} more" if len(refused) > FEW else ""
        lines = "\n  ".join(refused[:FEW])
        raise RequestError(
            f"this call differs from the run in {run}:\n  {lines}{more}\n"
            "give what the run had, resume_changes='allow', or another directory",
            argument="resume_changes",
        )
    return found
