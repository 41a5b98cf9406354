"""Command line of ``scripts/bench``: medians and ratios of this trainer against others, within one run.

Each figure comes from a separate process; the contenders take turns, so that a slower machine slows all of
them. Run nothing else at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks import disk, speed
from benchmarks.cases import CASES
from benchmarks.checks import measure_checks
from benchmarks.evaluate import compare_evaluations, measure_evaluations
from benchmarks.fit import compare_fits, measure_fit
from benchmarks.nets import compare_nets, measure_net
from benchmarks.predict import measure_calls
from benchmarks.processes import Figures, in_a_process, medians
from benchmarks.progress import compare_progress, measure_progress
from benchmarks.start import start_up
from benchmarks.streams import compare_streams, measure_streams
from benchmarks.tables import compare_tables, measure_table

WORKERS: dict[str, Callable[..., Figures]] = {
    "rate": speed.measure_rate,
    "trainer": speed.trainer_rates,
    "saves": disk.measure_saves,
    "small_saves": disk.measure_small_saves,
    "write": disk.measure_write,
    "touch_memory": disk.touch_memory,
    "resume": disk.measure_resume,
    "exports": disk.measure_exports,
    "calls": measure_calls,
    "checks": measure_checks,
    "fit": measure_fit,
    "net": measure_net,
    "streams": measure_streams,
    "table": measure_table,
    "evaluate": measure_evaluations,
    "progress": measure_progress,
}
PARTS = ("speed", "checks", "flat", "saves", "resume", "export", "predict", "fit", "streams", "nets", "tables")
PARTS += ("evaluate", "start", "progress")
STEPS_PER_SAVE = {50: 40, 400: 24, 1000: 16}
"""Megabytes of variables to steps between saves: enough for a save to end well before the next one."""


def main() -> None:
    """Runs a worker, or all chosen parts."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer cases, one short round")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES), help="cases of the part speed")
    parser.add_argument("--sizes", nargs="*", type=int, choices=STEPS_PER_SAVE, default=list(STEPS_PER_SAVE))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=4.0, help="seconds of each measurement of speed, after a warm-up")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        work(*chosen.worker)
        return
    if chosen.quick:
        chosen.parts, chosen.cases, chosen.sizes = ["speed", "saves", "start"], ["linear"], [50]
        chosen.rounds, chosen.secs = 1, 0.5
    figures: dict[str, Any] = {"cores": os.cpu_count()}
    for part in chosen.parts:
        figures[part], text = measured(part, chosen)
        print(f"\n{part}\n{text}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


def work(what: str, options: str) -> None:
    """Measures in this process and prints the figures.

    Args:
        what: Name of the worker.
        options: Its arguments, as JSON.
    """
    from trainer.tensorflow_import import import_tensorflow

    import_tensorflow()
    print("FIGURES", json.dumps(WORKERS[what](**json.loads(options))))


def measured(part: str, chosen: argparse.Namespace) -> tuple[Any, str]:
    """Returns the figures of a part, and their table."""
    rounds = chosen.rounds
    if part == "speed":
        found = speed.compare(chosen.cases, rounds, chosen.secs)
        return found, speed.speed_table(found)
    if part in ("saves", "resume", "export") and not chosen.quick:
        in_a_process("touch_memory")
    if part == "saves":
        saves = {str(size): disk.compare_saves(size, STEPS_PER_SAVE[size], rounds) for size in chosen.sizes}
        small = medians([in_a_process("small_saves") for _ in range(rounds)])
        return {**saves, "small": small}, f"{disk.saves_table(saves)}\n{plain_table(small)}"
    return (one := figures_of(part, rounds, chosen.secs)), plain_table(one)


def figures_of(part: str, rounds: int, secs: float) -> Figures:
    """Returns the figures of a part that has one table."""
    compared: dict[str, Callable[[], Figures]] = {
        "checks": lambda: medians([in_a_process("checks", secs=4 * secs) for _ in range(rounds)]),
        "flat": lambda: speed.flatness(rounds, secs),
        "resume": lambda: medians([in_a_process("resume", megabytes=400) for _ in range(rounds)]),
        "export": lambda: medians([in_a_process("exports", megabytes=50) for _ in range(rounds)]),
        "predict": lambda: medians([in_a_process("calls") for _ in range(rounds)]),
        "fit": lambda: compare_fits(rounds),
        "nets": lambda: compare_nets(rounds),
        "streams": lambda: compare_streams(rounds, secs),
        "tables": lambda: compare_tables(rounds, secs),
        "evaluate": lambda: compare_evaluations(rounds),
        "start": lambda: start_up(rounds),
        "progress": lambda: compare_progress(rounds, secs),
    }
    return compared[part]()


def plain_table(figures: Figures) -> str:
    """Returns a table with a line for each figure."""
    return tabulate(
        [[name, f"{value:.3f}"] for name, value in figures.items()], tablefmt="plain", disable_numparse=True
    )


if __name__ == "__main__":
    main()
