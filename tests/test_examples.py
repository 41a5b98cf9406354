"""The programs under examples/: trained, resumed and exported by the command line, as their pages say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import assert_same_bits, variables
from tests.processes import ROOT

v1 = tf.compat.v1
EXAMPLES = ROOT / "examples"
SHAPES = {"placeholder_digits": ("x", 64, "probabilities", 10), "gan": ("z", 16, "image", 64)}
"""Input and output of each program, with their sizes."""


def train(example: str, directory: Path, *overrides: str) -> str:
    """Trains an example from its own directory and returns what it printed."""
    command = [sys.executable, "-m", "trainer", f"+experiment={example}", "--config-dir", "conf", *overrides]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    given = {"cwd": EXAMPLES / example, "env": environment}
    done = subprocess.run([*command, f"run.dir={directory}"], capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_each_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == set(SHAPES)
    assert all((path / "README.md").exists() for path in EXAMPLES.iterdir())


@pytest.mark.parametrize("example", SHAPES)
def test_it_trains_resumes_bit_for_bit_and_exports(example, tmp_path) -> None:
    train(example, tmp_path / "straight", "loop.epochs=2")
    train(example, tmp_path / "resumed", "loop.epochs=1")
    train(example, tmp_path / "resumed", "loop.epochs=2", "resume=auto")
    last = tmp_path / "straight/checkpoints/model-2"
    assert_same_bits(last, tmp_path / "resumed/checkpoints/model-2")
    # The optimizer's slots, and its own count of the steps where it makes one, are those of the program.
    assert any(name.endswith("/Adam_1") for name in variables(last)), sorted(variables(last))
    given, size, output, out = SHAPES[example]
    frozen = v1.GraphDef.FromString((tmp_path / "straight/export/frozen/model.pb").read_bytes())
    assert not [node.op for node in frozen.node if node.op == "Placeholder" and node.name != given]
    assert not [node.op for node in frozen.node if "Random" in node.op]
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(frozen, name="")
        values = session.run(f"{output}:0", {f"{given}:0": np.zeros([3, size], np.float32)})
    assert values.shape == (3, out)


def test_the_digits_are_learnt(tmp_path) -> None:
    train("placeholder_digits", tmp_path / "run")
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["val_accuracy"] > 0.9
