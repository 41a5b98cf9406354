"""Commands ``plan``, ``prune``, ``pin`` and ``unpin``: retention of checkpoints."""

from __future__ import annotations

import argparse

from trainer.checkpoints.record import CommitRecord
from trainer.checkpoints.retention.policy import Retention, kept
from trainer.checkpoints.retention.prune import pin, prune, unpin
from trainer.cli.checkpoints.inspect import DIRECTORY_HELP, add_monitor
from trainer.cli.command import Answer, Run, Tool, path_argument, table
from trainer.config.keys import with_key
from trainer.errors import RequestError
from trainer.files import format_size
from trainer.schedule import Schedule


def add_commands(tool: Tool) -> None:
    """Adds the commands to a command line."""
    _add_plan(tool.command("plan", "show which checkpoints a retention keeps in a run of a given length", _plan))
    _add_prune(tool.command("prune", "remove the checkpoints that a retention does not keep", _prune))
    commands: list[tuple[str, str, Run]] = [
        ("pin", "keep checkpoints through every rotation", _pin),
        ("unpin", "remove pins", _unpin),
    ]
    for name, summary, run in commands:
        parser = tool.command(name, summary, run)
        parser.add_argument("directory", type=path_argument, help=DIRECTORY_HELP)
        parser.add_argument("numbers", metavar="N", type=int, nargs="+", help="numbers of checkpoints")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, required=True, help="epochs of the run")
    parser.add_argument("--steps-per-epoch", type=int, default=1, help="needed with --every-n-steps")
    parser.add_argument("--secs-per-epoch", type=float, default=0.0, help="needed with --keep-checkpoint-every-n-hours")
    parser.add_argument("--every-n-epochs", type=int, help="epochs between two saves")
    parser.add_argument("--every-n-steps", type=int, help="steps between two saves")
    parser.add_argument(
        "--max-to-keep", type=int, default=5, help="number of most recent checkpoints to keep; 0 keeps all"
    )
    parser.add_argument(
        "--keep-checkpoint-every-n-hours", type=float, help="hours of training for which one more checkpoint is kept"
    )
    parser.add_argument("--pinned", type=int, nargs="*", default=[], help="numbers of checkpoints never removed")


def _add_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=path_argument, help=DIRECTORY_HELP)
    parser.add_argument(
        "--keep", metavar="N", type=int, required=True, help="number of most recent checkpoints to keep"
    )
    parser.add_argument(
        "--keep-best", metavar="M", type=int, default=0, help="number of best checkpoints to keep in addition"
    )
    add_monitor(parser)
    parser.add_argument("--prefix", help="prefix of the checkpoints' names; required if there are several")
    parser.add_argument("--dry-run", action="store_true", help="only show which checkpoints would be removed")


def _plan(chosen: argparse.Namespace) -> Answer:
    schedule = Schedule(chosen.every_n_epochs, chosen.every_n_steps)
    policy = Retention(chosen.max_to_keep, chosen.keep_checkpoint_every_n_hours, pinned=tuple(chosen.pinned))
    there: list[CommitRecord] = []
    saves, max_at_once = 0, 0
    for record in planned_saves(schedule, chosen.epochs, chosen.steps_per_epoch, chosen.secs_per_epoch):
        saves, max_at_once = saves + 1, max(max_at_once, len(there) + 1)
        there.append(record)
        names = kept(there, policy)
        there = [each for each in there if each.name in names]
    rows = [[each.number, each.epoch, f"{each.trained_secs / 3600:.1f} h"] for each in there]
    return Answer(
        {"saves": saves, "most_at_once": max_at_once, "kept": [each.number for each in there]},
        f"{table(rows, ['number', 'epoch', 'trained'], left=0)}\n"
        f"{saves} saves, {len(there)} kept at the end, at most {max_at_once} on disk at once",
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
    rows = [[record.name, "kept"] for record in done.rotation.kept]
    removed = "would be removed" if chosen.dry_run else "removed"
    rows += [[record.name, removed] for record in done.rotation.removed]
    rows += [[name, "damaged, not touched"] for name in done.damaged]
    freed = f"{format_size(done.freed)} {'would be free' if chosen.dry_run else 'freed'}"
    data = {
        "directory": done.directory,
        "dry_run": chosen.dry_run,
        "kept": [record.name for record in done.rotation.kept],
        "removed": [record.name for record in done.rotation.removed],
        "damaged": done.damaged,
        "freed": done.freed,
    }
    return Answer(data, f"{table(rows, ['name', ''], left=2)}\n{done.directory}: {freed}", int(bool(done.damaged)))


def _pin(chosen: argparse.Namespace) -> Answer:
    return _pins(pin(chosen.directory, chosen.numbers))


def _unpin(chosen: argparse.Namespace) -> Answer:
    try:
        return _pins(unpin(chosen.directory, chosen.numbers))
    except RequestError as error:
        # The pins of a run's saver are in the config; no flag sets them.
        if error.argument == "pinned":
            raise RequestError(with_key(error)) from error
        raise


def _pins(pins: frozenset[int]) -> Answer:
    return Answer({"pinned": sorted(pins)}, f"pinned: {', '.join(map(str, sorted(pins))) or 'none'}")
