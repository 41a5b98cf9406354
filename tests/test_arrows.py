"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

FILES = sorted([*(ROOT / "trainer").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")])
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}

# What answers a wrong request before TensorFlow is there, and what everybody may use.
WITHOUT_TENSORFLOW = [
    "trainer",
    "trainer.cli.train",
    "trainer.cli.assemble",
    "trainer.callback",
    "trainer.training.callback_list",
    "trainer.checks",
    "trainer.errors",
    "trainer.files",
    "trainer.training.job",
    "trainer.training.loop",
    "trainer.training.epoch_means",
    "trainer.training.plan",
    "trainer.schedule",
    "trainer.training.signals",
    "trainer.checkpoints.catalog",
    "trainer.checkpoints.retention.prune",
    "trainer.checkpoints.retention.pins",
    "trainer.checkpoints.record",
    "trainer.checkpoints.retention.policy",
    "trainer.checkpoints.retention.rotation",
    "trainer.checkpoints.store",
    "trainer.checkpoints.stored_checkpoint",
    "trainer.data.arrays",
    "trainer.data.files",
    "trainer.data.streamed",
    "trainer.data.synthetic",
    "trainer.predict.compare",
    "trainer.predict.formats",
    "trainer.predict.predictor",
    "trainer.predict.tensor_info",
    "trainer.cli.models",
    "trainer.cli.input_values",
    *(name for name in MODULES if name.startswith(("trainer.config", "trainer.runs", "callbacks"))),
    *(name for name in MODULES if name.startswith("trainer.cli") and not name.endswith("__main__")),
]


def imports(path: Path, *, at_the_top_only: bool = False) -> set[str]:
    """Returns the modules that a file names in its imports, those for type checkers left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    nodes = tree.body if at_the_top_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_these_import_no_tensorflow() -> None:
    code = (
        f"import importlib, sys\n"
        f"for name in {sorted(set(WITHOUT_TENSORFLOW))!r}: importlib.import_module(name)\n"
        f"print(sorted({{'tensorflow', 'keras', 'sklearn'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("trainer")])
def test_the_trainer_never_imports_a_callback(name) -> None:
    assert not [each for each in imports(MODULES[name]) if each.split(".")[0] == "callbacks"]


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("callbacks")])
def test_a_callback_imports_no_other_callback(name) -> None:
    assert not [each for each in imports(MODULES[name]) if each.split(".")[0] == "callbacks"]


def test_only_the_way_in_knows_the_config() -> None:
    knowing = {
        name
        for name, path in MODULES.items()
        if {"hydra", "omegaconf"} & {each.split(".")[0] for each in imports(path)}
    }
    assert {name for name in knowing if not name.startswith("trainer.config")} == {
        "trainer.cli.train",
        "trainer.cli.assemble",
    }


def test_there_is_no_cycle() -> None:
    arrows = {
        name: {each for each in imports(path, at_the_top_only=True) if each in MODULES and each != name}
        for name, path in MODULES.items()
    }
    while leaves := [name for name, targets in arrows.items() if not targets & set(arrows)]:
        for name in leaves:
            del arrows[name]
    assert arrows == {}


def makes_a_default_graph(path: Path) -> bool:
    """Returns whether the code of a file does, its examples left out."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "as_default" for node in ast.walk(ast.parse(path.read_text()))
    )


def test_only_one_place_makes_a_graph_the_default_of_a_run() -> None:
    makers = {name for name, path in MODULES.items() if makes_a_default_graph(path)}
    allowed = {
        "trainer.graph.build",
        "trainer.graph.data_source",
        "trainer.training.session",
        "trainer.training.train",
        "trainer.tensorflow_import",
    }
    # The same graph once more: each thread has its own default, and saves run in another one.
    allowed |= {"trainer.checkpoints.writing.writer"}
    # These make graphs of their own, which no run ever sees.
    apart = ("export", "convert", "inspection", "models", "predict", "trunks", "checkpoints.analysis.average")
    assert makers <= allowed | {name for name in makers if name.removeprefix("trainer.").startswith(apart)}
