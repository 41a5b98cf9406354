"""``scripts/checkpoints``: what a retention would keep."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tabulate import tabulate

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention import Retention, kept
from trainer.schedule import Schedule


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(prog="scripts/checkpoints", description="Tools for checkpoints.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_plan(commands.add_parser("plan", help="what a policy keeps in a run of a given length"))
    chosen = parser.parse_args(arguments)
    try:
        output: str = chosen.run(chosen)
    except (ValueError, TypeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{output}\n")
    return 0


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, required=True, help="epochs of the run")
    parser.add_argument("--steps-per-epoch", type=int, default=1, help="needed with --every-n-steps")
    parser.add_argument("--secs-per-epoch", type=float, default=0.0, help="needed with --keep-checkpoint-every-n-hours")
    parser.add_argument("--every-n-epochs", type=int)
    parser.add_argument("--every-n-steps", type=int)
    parser.add_argument("--max-to-keep", type=int, default=5, help="0 keeps all")
    parser.add_argument("--keep-checkpoint-every-n-hours", type=float)
    parser.add_argument("--pinned", type=int, nargs="*", default=[], help="numbers of checkpoints")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_plan)


def _plan(chosen: argparse.Namespace) -> str:
    schedule = Schedule(chosen.every_n_epochs, chosen.every_n_steps)
    policy = Retention(chosen.max_to_keep, chosen.keep_checkpoint_every_n_hours, pinned=tuple(chosen.pinned))
    there: list[CommitRecord] = []
    saves, most = 0, 0
    for record in planned_saves(schedule, chosen.epochs, chosen.steps_per_epoch, chosen.secs_per_epoch):
        saves, most = saves + 1, max(most, len(there) + 1)
        there.append(record)
        stay = kept(there, policy)
        there = [each for each in there if each.name in stay]
    if chosen.json:
        return json.dumps({"saves": saves, "most_at_once": most, "kept": [each.number for each in there]})
    rows = [[each.number, each.epoch, f"{each.trained_secs / 3600:.1f} h"] for each in there]
    table = tabulate(rows, headers=["number", "epoch", "trained"], disable_numparse=True, colalign=("right",) * 3)
    return f"{table}\n{saves} saves, {len(there)} kept at the end, at most {most} on disk at once"


def planned_saves(schedule: Schedule, epochs: int, steps_per_epoch: int, secs_per_epoch: float) -> list[CommitRecord]:
    """Returns the records that a run of this length would commit, the last save included."""
    total, step, saves = epochs * steps_per_epoch, 0, []
    while step < total:
        due = schedule.next_step(step, steps_per_epoch)
        step = min(total, due if due is not None else total)
        epoch = step // steps_per_epoch
        number = epoch if schedule.by_epochs_alone else step
        secs = step / steps_per_epoch * secs_per_epoch
        saves.append(CommitRecord(f"model-{number}", number, epoch, step, {}, {}, True, secs, ""))
    return saves


if __name__ == "__main__":
    sys.exit(main())
