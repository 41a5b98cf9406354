"""Uniqueness of public names in the whole framework."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tests.processes import ROOT

COMMAND_LINES = {
    "add_commands": "each module of commands adds its own",
    "main": "each command line has one",
}


def public_names() -> dict[str, list[str]]:
    """Returns the defining files by name of each public function and class at the top of a module."""
    found = defaultdict(list)
    for path in sorted((ROOT / "trainer").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(ROOT)))
    return dict(found)


def test_no_two_modules_define_the_same_public_name() -> None:
    shared = {name: files for name, files in public_names().items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in COMMAND_LINES} == {}
    assert set(shared) >= set(COMMAND_LINES), "a name that is shared no more goes off the list"


def test_the_names_are_looked_for_where_they_are() -> None:
    names = public_names()
    assert names["extract_subgraph"] == [str(Path("trainer/graphdef/subgraph.py"))]
    assert names["likely_outputs"] == [str(Path("trainer/graphdef/output_names.py"))]
    assert names["compare_predictors"] == [str(Path("trainer/predict/compare.py"))]
