"""Soak tests with many kills and faults: ``scripts/soak --kills 200`` and ``scripts/soak --faults``.

Every round of kills trains a small model to its end through any number of kills, and compares all variables and the
metrics of every epoch with those of an uninterrupted run. The first deviation ends the soak.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import ROOT
from trainer.checkpoints.store import IN_PROGRESS, CheckpointStore, newest_good
from trainer.errors import CheckpointError
from trainer.files import TEMPORARY
from trainer.tensorflow_import import import_tensorflow

COMMAND = ["-m", "trainer", "+experiment=digits_mlp", "callbacks.checkpoint.max_to_keep=3", "resume=auto"]
MOMENTS = {"anywhere": 0.3, "in training": 0.4, "in a save": 0.3}
"""Where a kill strikes, and how often; near the end of a run half of the kills strike in an export."""


class DeviationError(Exception):
    """Guarantee that did not hold."""


@dataclass
class Tally:
    """Counts of kills, resumes and lost work."""

    kills: dict[str, int] = field(default_factory=dict)
    resumes: int = 0
    rounds: int = 0
    fallbacks: int = 0
    lost_epochs: list[int] = field(default_factory=list)

    def lines(self) -> list[str]:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        lost = f"{sum(self.lost_epochs)} epochs in all, {max(self.lost_epochs, default=0)} at most"
        return [
            f"kills:     {sum(self.kills.values())} ({kills})",
            f"resumes:   {self.resumes} from a checkpoint, in {self.rounds} runs to the end",
            f"lost work: {lost}",
            f"fallbacks: {self.fallbacks} to an older checkpoint",
        ]


def start(directory: Path, epochs: int) -> subprocess.Popen[str]:
    often = [f"callbacks.evaluate.every_n_epochs={epochs // 60}", f"callbacks.checkpoint.every_n_epochs={epochs // 75}"]
    return subprocess.Popen(
        [sys.executable, *COMMAND, *often, f"loop.epochs={epochs}", f"run.dir={directory}"],
        cwd=directory.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_soak(kills: int, seed: int, say: Callable[[str], None], epochs: int = 12_000) -> Tally:
    """Runs rounds until the number of kills is reached."""
    tally, rng = Tally(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        reference = Path(folder) / "reference"
        process = start(reference, epochs)
        output, _ = process.communicate()
        if process.returncode:
            raise DeviationError(f"the uninterrupted run failed:\n{output}")
        while sum(tally.kills.values()) < kills:
            directory = Path(folder) / f"round-{tally.rounds}"
            one_round(directory, kills, epochs, tally, rng)
            compare(reference, directory, epochs)
            shutil.rmtree(directory)
            tally.rounds += 1
            say(f"{sum(tally.kills.values())} of {kills} kills, {tally.rounds} runs the same")
    return tally


def one_round(directory: Path, kills: int, epochs: int, tally: Tally, rng: random.Random) -> None:
    """Starts, kills and starts again until the run has finished."""
    newest = -1
    while True:
        lines_before = metrics_text(directory)
        process = start(directory, epochs)
        if sum(tally.kills.values()) < kills:
            near_the_end = newest > 0.9 * epochs and rng.random() < 0.5
            moment = "in an export" if near_the_end else rng.choices(list(MOMENTS), list(MOMENTS.values()))[0]
            number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            wait_for(moment, directory, rng, process)
            if process.poll() is None:
                process.send_signal(number)
                name = f"{number.name} {moment}"
                tally.kills[name] = tally.kills.get(name, 0) + 1
        output, _ = process.communicate()
        tally.resumes += "resumed from" in output
        tally.fallbacks += output.count("skipped: ")
        if process.returncode == 0:
            return
        if process.returncode not in (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise DeviationError(f"exit code {process.returncode}:\n{output}")
        # A process stopped before its first event leaves the lines of the process before it, which was killed.
        began = metrics_text(directory) != lines_before
        saved = began and process.returncode == 128 + signal.SIGTERM
        try:
            newest = check_after_kill(directory, newest, tally, saved=saved)
        except DeviationError as error:
            raise DeviationError(f"{error}; the process said:\n{output}") from error


def wait_for(moment: str, directory: Path, rng: random.Random, process: Any) -> None:
    """Waits for the moment of the kill, or for the end of the process."""
    limit = time.monotonic() + (rng.uniform(0, 8) if moment == "anywhere" else 60)
    patience = rng.uniform(0, 1.5)
    while process.poll() is None and time.monotonic() < limit:
        if moment == "in training" and running(directory, process.pid):
            time.sleep(patience)
            return
        if moment == "in a save" and in_save(directory) and running(directory, process.pid) and rng.random() < 0.3:
            return
        if moment == "in an export" and list((directory / "export").glob(f"*/{TEMPORARY}*")):
            return
        time.sleep(0.001)


def running(directory: Path, pid: int) -> bool:
    try:
        return bool(json.loads((directory / "run.lock").read_text())["pid"] == pid)
    except (OSError, ValueError, KeyError):
        return False


def in_save(directory: Path) -> bool:
    try:
        return any(path.name.startswith(IN_PROGRESS) for path in (directory / "checkpoints").iterdir())
    except OSError:
        return False


def check_after_kill(directory: Path, newest: int, tally: Tally, *, saved: bool) -> int:
    """Checks that no committed state was lost; returns the newest committed epoch."""
    store = CheckpointStore(directory / "checkpoints", "model")
    records, unreadable = store.records()
    if unreadable:
        raise DeviationError(f"an unreadable record: {unreadable}")
    if not records:
        if newest >= 0:
            raise DeviationError(f"epoch {newest} was committed and is lost")
        return newest
    try:
        record, skipped = newest_good(store)
    except CheckpointError as error:
        raise DeviationError(str(error)) from error
    tally.fallbacks += len(skipped)
    if record.epoch < newest:
        raise DeviationError(f"epoch {newest} was committed and the newest good one is {record.epoch}")
    seen = len(metrics_text(directory).splitlines())
    if saved and seen > record.epoch:
        raise DeviationError(f"SIGTERM lost {seen - record.epoch} epochs")
    tally.lost_epochs.append(max(seen - record.epoch, 0))
    return record.epoch


def metrics_text(directory: Path) -> str:
    path = directory / "metrics.jsonl"
    return path.read_text() if path.exists() else ""


def compare(reference: Path, directory: Path, epochs: int) -> None:
    """Compares the final states of two runs; reads the checkpoints with plain TensorFlow."""
    from tests.helpers import assert_same_bits

    try:
        assert_same_bits(reference / f"checkpoints/model-{epochs}", directory / f"checkpoints/model-{epochs}")
    except AssertionError as error:
        raise DeviationError(f"the variables differ: {error}") from error
    if metrics(reference) != metrics(directory):
        raise DeviationError("the metrics of the epochs differ")
    check_nothing_is_left_over(directory)
    if files(reference) != files(directory):
        raise DeviationError(f"other files: {sorted(files(reference) ^ files(directory))}")


def check_nothing_is_left_over(directory: Path) -> None:
    names = [path for path in directory.rglob("*") if path.name.startswith((TEMPORARY, IN_PROGRESS))]
    left = [*names, *directory.rglob("*.lock"), *directory.rglob("*tempstate*")]
    if left:
        raise DeviationError(f"left over: {sorted(map(str, left))}")


def metrics(directory: Path) -> list[dict[str, Any]]:
    from tests.helpers import timeless

    return [timeless(json.loads(line)) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def files(directory: Path) -> set[str]:
    found = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("config")}


def main() -> None:
    """Runs the command line of ``scripts/soak``."""
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--kills", type=int, metavar="N", help="kill and resume until N kills have struck (about 6 s each)"
    )
    parser.add_argument("--faults", action="store_true", help="let each file operation of a run fail in turn")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    if not arguments.kills and not arguments.faults:
        parser.error("choose --kills N or --faults")

    import_tensorflow()

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - this is a command line

    from tests.faults import fault_soak

    try:
        if arguments.kills:
            tally = kill_soak(arguments.kills, arguments.seed, say)
            say("\n".join([*tally.lines(), "every run ended with the same bits"]))
        if arguments.faults:
            tried = fault_soak([errno.ENOSPC, errno.EIO, errno.EACCES], say)
            say(f"{tried} faults, each followed by a resume that ended with the same bits")
    except DeviationError as error:
        sys.exit(f"DEVIATION: {error}")


if __name__ == "__main__":
    main()
