"""Public names: list, documentation and code agree, and importing them does not import TensorFlow."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import pytest

from tests.processes import ROOT, python
from trainer.lazy_face import names_in_stub

DOC = (ROOT / "docs/python.md").read_text()
FACES = {
    "trainer": {
        *("Arrays", "Callback", "CallbackError", "CheckpointError", "Context", "DamagedError", "Interrupted", "Model"),
        *("OptimizerPart", "Optimizers"),
        *("NonFiniteError", "Predictor", "ReadBackError", "RequestError", "Schedule", "TrainerError", "Trunk"),
        *("Result", "WarmStart", "fit", "load_into", "open_predictor", "__version__"),
    },
    "trainer.checkpoints": {
        *("Retention", "average", "compare", "export", "find", "freeze", "list_checkpoints", "prune", "verify"),
    },
}


def documented(face: str) -> set[str]:
    """Returns the names in the first column of a package's table."""
    table = DOC.split(f"| `{face}.` | |")[1].split("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


@pytest.mark.parametrize("face", FACES)
def test_list_documentation_and_code_agree(face) -> None:
    package = importlib.import_module(face)
    assert set(package.__all__) == documented(face) == FACES[face]
    assert {name for name in dir(package) if not name.startswith("__")} == FACES[face] - {"__version__"}
    for name in package.__all__:
        value = getattr(package, name)
        assert name == "__version__" or value.__doc__, name


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_imported_without_tensorflow(face) -> None:
    code = f"import sys, {face}; print(sorted({{'tensorflow', 'keras', 'numpy', 'hydra'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from trainer import Nothing")


def test_every_stub_names_what_exists() -> None:
    for stub in (ROOT / "trainer").rglob("__init__.pyi"):
        for module, original in names_in_stub(stub).values():
            assert hasattr(importlib.import_module(module), original), f"{stub}: {module}.{original}"


def test_types_and_stubs_are_installed() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for marker in ("trainer/py.typed", "callbacks/py.typed"):
        assert (ROOT / marker).is_file()
    assert '"*" = ["py.typed", "*.pyi"]' in text


def test_the_example_runs(linear_run, tmp_path) -> None:
    run, _ = linear_run
    (tmp_path / "outputs/linear").mkdir(parents=True)
    (tmp_path / "outputs/linear/run").symlink_to(run)
    (example,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    done = python("-c", example, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("model-300 0.00")
    assert (tmp_path / "line.pb").is_file()


USER = """
from trainer import Arrays, Callback, Context, Schedule, open_predictor
from trainer.checkpoints import average, export, find, freeze, prune

class Mine(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_step_end(self, context: Context) -> None:
        context.request_stop(find("run@best").name)

freeze("run@3", "line.pb", outputs=["op"])
export(find("run"), "served")
average(["run@1", "run@2"], "mean/model")
prune("run", 2, dry_run=True)
open_predictor("run")(x=Arrays)
reveal_type(find)
"""


def test_the_types_of_the_public_names_reach_a_user(tmp_path) -> None:
    (tmp_path / "user.py").write_text(USER)
    done = python("-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "user.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "StoredCheckpoint" in done.stdout


def test_targets_may_be_strings(small_run, tmp_path) -> None:
    checkpoints = importlib.import_module("trainer.checkpoints")
    last = checkpoints.find(small_run)
    assert checkpoints.freeze(last, str(tmp_path / "line.pb"), outputs=["op"]).is_file()
    assert (checkpoints.export(f"{small_run}@last", str(tmp_path / "served")) / "saved_model.pb").is_file()
    assert checkpoints.average([last, f"{small_run}@1"], str(tmp_path / "mean/model")).prefix.name == "model"
