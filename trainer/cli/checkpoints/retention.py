"""``plan``, ``prune``, ``pin``, ``unpin``: which checkpoints stay."""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.policy import Retention, kept
from trainer.checkpoints.retention.prune import pin, prune, unpin
from trainer.cli.checkpoints.inspect import DIRECTORY_HELP, add_monitor
from trainer.cli.command import Answer, Run, Tool, table
from trainer.files import format_size
from trainer.schedule import Schedule


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    _add_plan(tool.command("plan", "what a retention keeps in a run of a given length", _plan))
    _add_prune(tool.command("prune", "remove the checkpoints that a retention does not keep", _prune))
    commands: list[tuple[str, str, Run]] = [
        ("pin", "keep checkpoints through every rotation", _pin),
        ("unpin", "take pins back", _unpin),
    ]
    for name, summary, run in commands:
        parser = tool.command(name, summary, run)
        parser.add_argument("directory", type=Path, help=DIRECTORY_HELP)
        parser.add_argument("numbers", metavar="N", type=int, nargs="+", help="numbers of checkpoints")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, required=True, help="epochs of the run")
    parser.add_argument("--steps-per-epoch", type=int, default=1, help="needed with --every-n-steps")
    parser.add_argument("--secs-per-epoch", type=float, default=0.0, help="needed with --keep-checkpoint-every-n-hours")
    parser.add_argument("--every-n-epochs", type=int)
    parser.add_argument("--every-n-steps", type=int)
    parser.add_argument("--max-to-keep", type=int, default=5, help="0 keeps all")
    parser.add_argument("--keep-checkpoint-every-n-hours", type=float)
    parser.add_argument("--pinned", type=int, nargs="*", default=[], help="numbers of checkpoints")


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, help=DIRECTORY_HELP)
    parser.add_argument("--keep", metavar="N", type=int, required=True, help="the newest N stay")
    parser.add_argument("--keep-best", metavar="M", type=int, default=0, help="besides, the best M by --monitor stay")
    add_monitor(parser)
    parser.add_argument("--prefix", help="of the names, where there are several")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def _plan(chosen: argparse.Namespace) -> Answer:
    schedule = Schedule(chosen.every_n_epochs, chosen.every_n_steps)
    policy = Retention(chosen.max_to_keep, chosen.keep_checkpoint_every_n_hours, pinned=tuple(chosen.pinned))
    there: list[CommitRecord] = []
    saves, most = 0, 0
    for record in planned_saves(schedule, chosen.epochs, chosen.steps_per_epoch, chosen.secs_per_epoch):
        saves, most = saves + 1, max(most, len(there) + 1)
        there.append(record)
        stay = kept(there, policy)
        there = [each for each in there if each.name in stay]
    rows = [[each.number, each.epoch, f"{each.trained_secs / 3600:.1f} h"] for each in there]
    return Answer(
        {"saves": saves, "most_at_once": most, "kept": [each.number for each in there]},
        f"{table(rows, ['number', 'epoch', 'trained'], left=0)}\n"
        f"{saves} saves, {len(there)} kept at the end, at most {most} on disk at once",
    )


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


def _prune(chosen: argparse.Namespace) -> Answer:
    done = prune(
        chosen.directory,
        chosen.keep,
        chosen.keep_best,
        chosen.monitor,
        chosen.mode,
        chosen.prefix,
        dry_run=chosen.dry_run,
    )
    rows = [[record.name, "stays"] for record in done.rotation.kept]
    goes = "would go" if chosen.dry_run else "removed"
    rows += [[record.name, goes] for record in done.rotation.removed]
    rows += [[name, "damaged, left as it is"] for name in done.damaged]
    freed = f"{format_size(done.freed)} {'would be free' if chosen.dry_run else 'freed'}"
    data = {
        "directory": done.directory,
        "dry_run": chosen.dry_run,
        "stay": [record.name for record in done.rotation.kept],
        "go": [record.name for record in done.rotation.removed],
        "damaged": done.damaged,
        "freed": done.freed,
    }
    return Answer(data, f"{table(rows, ['name', ''], left=2)}\n{done.directory}: {freed}", int(bool(done.damaged)))


def _pin(chosen: argparse.Namespace) -> Answer:
    return _pins(pin(chosen.directory, chosen.numbers))


def _unpin(chosen: argparse.Namespace) -> Answer:
    return _pins(unpin(chosen.directory, chosen.numbers))


def _pins(pins: frozenset[int]) -> Answer:
    return Answer({"pinned": sorted(pins)}, f"pinned: {', '.join(map(str, sorted(pins))) or 'none'}")
