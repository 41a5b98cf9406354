"""Run directories made by hand, whole or damaged, for the tests of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DAMAGE = [
    ("run.json", ""),
    ("run.json", "{"),
    (
        "run.json",
        '{"status": 3, "history": [3, {}], "secs": {"compute": "x"}, "versions": {"a": 1}, "metrics": []}',
    ),
    ("run.json", '{"rollbacks": [{"step": 1}], "steps_per_sec": 1e999, "epoch": -5, "exports": ["../x"]}'),
    ("metrics.jsonl", None),
    ("metrics.jsonl", ""),
    ("metrics.jsonl", '{"epoch": 1, "global_step": 10, "loss": 0.5}\n{"epoch": 2, "glo'),
    ("metrics.jsonl", '{"epoch": 1, "global_step": 0, "loss": null, "val_loss": NaN}\n'),
    (
        "metrics.jsonl",
        '{"epoch": 1, "global_step": 10, "loss": 1e308}\n{"epoch": 2, "global_step": 20, "loss": -1e308}',
    ),
    ("metrics.jsonl", '{"epoch": 0, "step_in_epoch": 5, "global_step": 5, "loss": 0.5}\n'),
    ("config.yaml", "a: [\n"),
    ("config.yaml", None),
    ("report-data.npz", "PK"),
    ("checkpoints", "a file"),
    ("checkpoints/model-1.json", "{"),
    ("checkpoints/model-1.index", ""),
]
"""Files of a run and what is left of them; None for a file that is gone."""

STARTED, ENDED = "2026-11-27T10:00:00+00:00", "2026-11-27T10:02:05+00:00"


def write_run(path: Path, epochs: int = 3, metrics: dict[str, Any] | None = None, **info: Any) -> Path:
    """Writes run.json, config.yaml and metrics.jsonl of a run of 10 steps in an epoch."""
    path.mkdir(parents=True)
    extra = metrics or {}
    rows = [
        {"epoch": i, "global_step": 10 * i, "loss": 1 / i, "val_loss": 1.5 / i, "steps_per_sec": 100.0, **extra}
        for i in range(1, epochs + 1)
    ]
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (path / "config.yaml").write_text("loop: {epochs: 3}\noptimizer: {learning_rate: 0.1}\n")
    value = {
        "status": "finished",
        "name": "net",
        "started": STARTED,
        "ended": ENDED,
        "epoch": epochs,
        "total_epochs": epochs,
        "steps_per_sec": 123.4,
        "secs": {"compute": 6.0, "input": 0.0, "checkpoints": 2.0},
        "versions": {"python": "3.11.7"},
        **info,
    }
    (path / "run.json").write_text(json.dumps(value))
    return path


def damaged_run(path: Path, name: str, content: str | None) -> Path:
    """Writes a run, of which one file has other content, or is gone."""
    run = write_run(path)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).unlink(missing_ok=True)
    if content is not None:
        (run / name).write_text(content)
    return run
