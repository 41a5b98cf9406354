"""Many steps in a call change nothing: saves, evaluations and log lines fall on the same steps with the same bits."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.metrics import Metrics
from tests.helpers import assert_same_bits, points, run
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.schedule import Schedule


class Watch(Callback):
    """Notes where it was visited, with the bits of all variables."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.seen: list[tuple[int, int, bytes]] = []

    def on_step_end(self, context: Context) -> None:
        variables = context.session.graph.get_collection("variables")
        values = context.session.run({variable.op.name: variable for variable in variables})
        bits = b"".join(values[name].tobytes() for name in sorted(values))
        self.seen.append((context.record.epoch, context.record.global_step, bits))


def random_schedule(rng: random.Random) -> Schedule:
    return Schedule(
        every_n_epochs=rng.choice([None, 1, 2, 3]),
        every_n_steps=rng.choice([None, rng.randint(1, 23)]),
    )


def one_run(directory: Path, seed: int, steps_per_call: int | None, mode: str) -> dict[str, object]:
    """Runs with the schedules of the seed; returns all that must not depend on the calls."""
    rng = random.Random(seed)
    watches = [Watch(random_schedule(rng)) for _ in range(2)]
    saves = random_schedule(rng)
    callbacks = {
        "first": watches[0],
        "evaluate": Evaluate(every_n_epochs=rng.randint(1, 3)),
        "metrics": Metrics(),
        "checkpoint": Checkpoint(every_n_epochs=saves.every_n_epochs, every_n_steps=saves.every_n_steps, max_to_keep=0),
        "second": watches[1],
    }
    data = InMemory(points(60), 8, validation=0.25)
    run(directory, callbacks, epochs=7, data=data, steps_per_call=steps_per_call, compile=mode)
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("steps_per_sec", None)
    return {
        "visits": [watch.seen for watch in watches],
        "metrics": lines,
        "saves": sorted(path.name for path in (directory / "checkpoints").glob("*.index")),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", ["off", "xla"])
def test_random_schedules(tmp_path, seed, mode) -> None:
    by_one = one_run(tmp_path / "one", seed, 1, mode)
    fused = one_run(tmp_path / "fused", seed, random.Random(seed).choice([None, 5, 13, 1000]), mode)
    assert by_one == fused
    assert any("val_loss" in line for line in by_one["metrics"])
    for name in by_one["saves"]:
        stem = name.removesuffix(".index")
        assert_same_bits(tmp_path / "one/checkpoints" / stem, tmp_path / "fused/checkpoints" / stem)
