"""Costs of saves, resumes and exports, against plain TensorFlow and against the bare disk."""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.cases import CASES, sized
from benchmarks.processes import Figures, in_a_process, medians
from benchmarks.trainer_job import train_case
from trainer.memory import available_bytes

WAYS = ("background", "foreground", "saver")
SAVES = 5


def measure_saves(megabytes: int, way: str, steps_per_save: int) -> Figures:
    """Worker: cost of a save of a model whose variables all change in every step.

    Args:
        megabytes: Size of the variables, in MB.
        way: Way to save: ``background``, ``foreground``, ``saver`` (a bare ``Saver.save`` and an fsync), ``none``.
        steps_per_save: Steps between two saves.

    Returns:
        Seconds of a step, and the peak memory as a multiple of the variables, including gradients and the
        batch. For a save: seconds that training loses, seconds of the snapshot, and seconds until the
        checkpoint is durable.
    """
    from callbacks.checkpoint import Checkpoint
    from trainer.callback import Callback
    from trainer.checkpoints.store import CheckpointStore
    from trainer.checkpoints.writing.snapshot import Snapshot
    from trainer.schedule import Schedule

    ends: list[float] = []
    durable: list[float] = []
    snapshots: list[float] = []
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    class Watch(Callback):
        """Recorder of the end of each step, before any save."""

        def on_call_end(self, _context: Any, _steps: Any) -> None:
            ends.append(time.perf_counter())

    class BareSaver(Callback):
        """Saves of a hand-written training loop."""

        schedule = Schedule(every_n_steps=steps_per_save)

        def on_build(self, build: Any) -> None:
            self.saver = build.saver

        def on_step_end(self, context: Any) -> None:
            path = self.saver.save(context.session, str(context.run.path / "bare"), write_meta_graph=False)
            sync(Path(f"{path}.data-00000-of-00001"))
            durable.append(time.perf_counter())

    noted(CheckpointStore, "commit", lambda _began, ended: durable.append(ended))
    noted(Snapshot, "take", lambda began, ended: snapshots.append(ended - began))
    callbacks: dict[str, Callback] = {"watch": Watch()}
    if way == "saver":
        callbacks["saver"] = BareSaver()
    elif way != "none":
        callbacks["saver"] = Checkpoint(
            every_n_epochs=None, every_n_steps=steps_per_save, max_to_keep=1, background=way == "background"
        )
    with tempfile.TemporaryDirectory() as folder:
        steps = (SAVES + 1) * steps_per_save - 1
        train_case(sized(megabytes), Path(folder) / "run", callbacks, epochs=1, steps_per_epoch=steps, steps_per_call=1)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    figures = {"step_secs": statistics.median(np.diff(ends)), "memory": peak_kb / 1024 / megabytes}
    if way == "none":
        return figures
    lost, until_durable = [], []
    for save in range(SAVES):
        due = ends[(save + 1) * steps_per_save - 1]
        after = ends[(save + 1) * steps_per_save : (save + 2) * steps_per_save]
        # The cost of a save ends with the second step after it; later steps would only add noise.
        touched = sum(each <= durable[save] for each in after) + 2
        quiet = np.diff(after[touched - 1 :])
        if len(quiet) < 2:
            raise ValueError(f"a save took more than {steps_per_save - 4} steps; set more steps between two saves")
        lost.append(after[touched - 1] - due - touched * statistics.median(quiet))
        until_durable.append(durable[save] - due)
    return figures | {
        "lost_secs": statistics.median(lost),
        "snapshot_secs": statistics.median(snapshots or [0.0]),
        "durable_secs": statistics.median(until_durable),
    }


def noted(owner: type, name: str, note: Callable[[float, float], None]) -> None:
    """Wraps a method of a class to report its start and end times to ``note``."""
    method = getattr(owner, name)

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        result = method(*args)
        note(began, time.perf_counter())
        return result

    setattr(owner, name, timed)


def sync(path: Path) -> None:
    """Waits until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def measure_write(megabytes: int) -> Figures:
    """Worker: a plain write of a given size, and an fsync."""
    content = np.random.default_rng(0).bytes(megabytes * 2**20)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SAVES):
            path = Path(folder) / str(number)
            began = time.perf_counter()
            with path.open("wb") as file:
                file.write(content)
            sync(path)
            # The file is kept, as a checkpoint is: pages freed by a removed file are written faster.
            seconds.append(time.perf_counter() - began)
    return {"write_secs": statistics.median(seconds)}


def touch_memory(share: float = 0.7) -> Figures:
    """Worker: writes to most of the free memory once and frees it.

    A virtual machine gets its pages from the host at their first use, which takes five times as
    long as writing them; without this the first contender to use them would pay for all.

    Args:
        share: Share of the free memory to write to.
    """
    pages = np.zeros(int(share * (available_bytes() or 0)), np.uint8)
    pages[::4096] = 1
    return {"touched_bytes": float(len(pages))}


def measure_small_saves() -> Figures:
    """Worker: a save of a few kB in the foreground, and its share of waiting for the disk."""
    from callbacks.checkpoint import Checkpoint

    saves: list[float] = []
    syncs: list[float] = []
    noted(Checkpoint, "_write", lambda began, ended: saves.append(ended - began))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        began = time.perf_counter()
        real(descriptor)
        syncs.append(time.perf_counter() - began)

    os.fsync = fsync
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(every_n_epochs=1, background=False)
        train_case(CASES["linear"], Path(folder) / "run", {"checkpoint": checkpoint}, epochs=50)
    return {"save_secs": statistics.median(saves), "sync_secs": sum(syncs) / len(saves)}


def measure_resume(megabytes: int) -> Figures:
    """Worker: finding, verifying and restoring the newest checkpoint, against ``Saver.restore`` alone."""
    import tensorflow as tf

    from callbacks.checkpoint import Checkpoint
    from trainer.checkpoints.store import CheckpointStore, newest_good

    v1 = tf.compat.v1
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train_case(sized(megabytes), run, {"c": Checkpoint()}, epochs=1, steps_per_epoch=1)
        prefix = str(run / "checkpoints" / "model-1")
        alone, both = [], []
        with tf.Graph().as_default(), v1.Session() as session:
            saver = v1.train.import_meta_graph(f"{prefix}.meta")
            saver.restore(session, prefix)
            for _ in range(5):
                began = time.perf_counter()
                saver.restore(session, prefix)
                restored = time.perf_counter()
                newest_good(CheckpointStore(run / "checkpoints", "model"))
                saver.restore(session, prefix)
                alone.append(restored - began)
                both.append(time.perf_counter() - restored)
    return {"restore_secs": statistics.median(alone), "verify_and_restore_secs": statistics.median(both)}


def measure_exports(megabytes: int) -> Figures:
    """Worker: both exports with their verification, against freezing and the builder alone."""
    import tensorflow as tf

    from callbacks.checkpoint import Checkpoint
    from callbacks.freeze import Freeze
    from callbacks.saved_model import SavedModel

    v1 = tf.compat.v1
    seconds: dict[str, float] = {}
    for callback in (Freeze, SavedModel):
        note = partial(lambda name, began, ended: seconds.update({name: ended - began}), callback.__name__)
        noted(callback, "on_train_end", note)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        parts = {"c": Checkpoint(), "f": Freeze(), "s": SavedModel()}
        train_case(sized(megabytes), run, parts, epochs=1, steps_per_epoch=1)
        prefix = str(run / "checkpoints" / "model-1")
        with tf.Graph().as_default() as graph, v1.Session() as session:
            saver = v1.train.import_meta_graph(f"{prefix}.meta")
            saver.restore(session, prefix)
            began = time.perf_counter()
            frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["op"])
            (Path(folder) / "plain.pb").write_bytes(frozen.SerializeToString())
            plain_freeze = time.perf_counter() - began
            began = time.perf_counter()
            builder = v1.saved_model.Builder(f"{folder}/plain")
            builder.add_meta_graph_and_variables(session, ["serve"])
            builder.save()
            plain_saved_model = time.perf_counter() - began
    return {
        "freeze_secs": seconds["Freeze"],
        "plain_freeze_secs": plain_freeze,
        "saved_model_secs": seconds["SavedModel"],
        "plain_saved_model_secs": plain_saved_model,
    }


def compare_saves(megabytes: int, steps_per_save: int, rounds: int) -> Figures:
    """Returns the figures of all ways to save, which take turns, and the relevant ratios."""
    measured = []
    for _ in range(rounds):
        figures = in_a_process("write", megabytes=megabytes)
        for way in (*WAYS, "none"):
            found = in_a_process("saves", megabytes=megabytes, way=way, steps_per_save=steps_per_save)
            figures |= {f"{way}_{name}": value for name, value in found.items()}
        measured.append(figures)
    found = medians(measured)
    found["lost_against_saver"] = found["background_lost_secs"] / found["saver_lost_secs"]
    found["bandwidth_against_write"] = found["write_secs"] / found["background_durable_secs"]
    # Memory of the variables counts once; gradients, batches and code, as in a run without saves, do not.
    for way in WAYS:
        found[f"{way}_memory"] += 1 - found["none_memory"]
    return found


def saves_table(found: dict[str, Figures]) -> str:
    """Returns a table with a row for each size and way."""
    rows = []
    for megabytes, figures in found.items():
        rows += [
            [f"{megabytes} MB", way, *(f"{figures[f'{way}_{each}_secs']:.3f}" for each in ("lost", "durable"))]
            + [f"{figures[f'{way}_memory']:.2f}x"]
            for way in WAYS
        ]
        rows.append([f"{megabytes} MB", "write and fsync", "", f"{figures['write_secs']:.3f}", ""])
    headers = ["variables", "saved by", "training loses, s", "durable after, s", "memory"]
    return tabulate(rows, headers=headers, disable_numparse=True, colalign=("right", "left", "right", "right", "right"))
