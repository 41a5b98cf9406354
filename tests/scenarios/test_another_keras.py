"""Runs begun with one Keras and resumed with another, in which optimizers have other names by default."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers import variables
from tests.processes import ROOT, python

SPELLED_OTHERWISE = "3.12.4" if keras.__version__ >= "3.15" else "3.15.1"
"""Keras whose default names (SGD or sgd, adamw or adam_w, rmsprop or rm_sprop) are not those of the one installed."""

TRAIN = """
import sys
from pathlib import Path

from trainer.tensorflow_import import import_tensorflow
import_tensorflow()

import keras

from tests.helpers import Two, run

optimizers = keras.optimizers
assert optimizers.SGD().name == ("sgd" if keras.__version__ >= "3.15" else "SGD")
MAKE = {
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
    "scheduled": lambda: optimizers.AdamW(optimizers.schedules.CosineDecay(0.05, 20), amsgrad=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.5),
    "average": lambda: optimizers.SGD(0.05, use_ema=True),
    "accumulated": lambda: optimizers.RMSprop(0.01, gradient_accumulation_steps=2),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.05, momentum=0.9)),
}
for name, make in MAKE.items():
    run(Path(sys.argv[1], name), make_optimizer=lambda *_: make(), make_model=Two, epochs=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the other Keras."""
    if sys.version_info < (3, 11) and SPELLED_OTHERWISE > "3.12.9":
        pytest.skip(f"Keras {SPELLED_OTHERWISE} needs Python 3.11")
    folder = tmp_path_factory.mktemp("keras")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", folder, f"keras=={SPELLED_OTHERWISE}"], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that the Keras installed makes without a stop."""
    folder = tmp_path_factory.mktemp("straight")
    train(folder, 4)
    return folder


def train(folder: Path, epochs: int, *path: Path) -> str:
    """Starts or resumes a run with each optimizer; returns what was said, less the output of an exit code of 0."""
    done = python(
        "-c", TRAIN, str(folder), str(epochs), cwd=folder, PYTHONPATH=os.pathsep.join(map(str, [*path, ROOT]))
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("begun_by", ["other", "installed"])
def test_a_run_goes_on_with_another_keras(other, trained, tmp_path, begun_by) -> None:
    first, second = ([other], []) if begun_by == "other" else ([], [other])
    assert train(tmp_path, 2, *first) == ""
    said = train(tmp_path, 4, *second)
    assert said.count("resumed with other versions (keras ") == len(list(trained.iterdir()))
    for run in sorted(trained.iterdir()):
        straight, resumed = (variables(each / run.name / "checkpoints/model-4") for each in (trained, tmp_path))
        assert straight.keys() == resumed.keys(), run.name
        for name, value in straight.items():
            np.testing.assert_allclose(resumed[name], value, rtol=1e-4, atol=1e-6, err_msg=f"{run.name}: {name}")
