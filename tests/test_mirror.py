"""Test files mirror the modules: ``tests/graph/test_build.py`` shows ``trainer/graph/build.py``.

``python -m tests.test_mirror`` lists the modules without a test file. That is allowed: the tests of its user
show a small module.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.processes import ROOT

TESTS = ROOT / "tests"

WHOLE = {
    "test_arrows": "which folder imports which",
    "test_artefacts": "the files of a run, read by plain TensorFlow",
    "test_commands": "the command line of training",
    "test_conformance": "every callback, config file and experiment",
    "test_growth": "a run of a net of ten times the layers",
    "test_examples": "the programs under examples/",
    "test_mirror": "this rule",
    "test_models_page": "docs/models.md",
    "test_paths": "paths of other machines, and file URIs",
    "test_prose": "docstrings that can be read line by line",
    "test_public_face": "the public names",
    "test_public_names": "one name, one thing",
    "test_pages": "the README and docs/",
    "test_same_bits": "resumes and calls of every length, of every family of models",
    "test_saved_objects": "all that a Saver can store, of models, callbacks and data",
    "test_savers": "savers that are known by what they do, not by their names",
    "test_scripts": "scripts/",
    "test_serving": "SERVING.md",
    "test_session_calls": "exports, predictors and warm starts of nets of any size",
    "test_tutorials": "snippets of graph-mode tutorials",
}
"""Subject of each test file at the root that shows more than one module; ``scenarios/`` and ``zoo/`` have others."""

OTHERS = {"scenarios", "zoo"}

FILES = sorted(path for path in TESTS.rglob("test_*.py") if path.stem not in WHOLE and not OTHERS & {*path.parts})


def shown(test: Path) -> Path:
    """Returns the module, without its suffix, that a test file is named after."""
    inside = test.relative_to(TESTS).parent
    root = ROOT if inside.parts[:1] == ("callbacks",) else ROOT / "trainer"
    return root / inside / test.stem.removeprefix("test_")


def modules_without_tests() -> list[str]:
    """Returns the modules that no test file is named after."""
    have = {shown(test) for test in FILES}
    files = [*(ROOT / "trainer").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")]
    modules = {path.with_suffix("") for path in files if not path.name.startswith("__")}
    return sorted(str(path.relative_to(ROOT).with_suffix(".py")) for path in modules - have)


@pytest.mark.parametrize("test", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_test_file_is_named_after_a_module_or_a_package(test) -> None:
    module = shown(test)
    assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), (
        f"{test.relative_to(ROOT)} must be named after a module, and {module.relative_to(ROOT)}.py is not there; "
        "a test of more than a module stands at the root of tests/ and in WHOLE here"
    )
    assert (test.parent / "__init__.py").is_file(), f"{test.parent.relative_to(ROOT)} needs an __init__.py"


def test_what_shows_more_than_a_module_is_there_and_bears_no_module_s_name() -> None:
    for name in WHOLE:
        assert (TESTS / f"{name}.py").is_file()
        assert not (ROOT / "trainer" / f"{name.removeprefix('test_')}.py").exists()


LIST = (TESTS / "scenarios" / "README.md").read_text()
ROWS = {int(row): line for row, line in re.findall(r"^\| (\d+) (\|.*)$", LIST, re.MULTILINE)}


def functions(path: Path) -> list[str]:
    """Returns the names of the test functions of a file."""
    return [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("row", ROWS)
def test_a_scenario_names_tests_that_exist(row) -> None:
    for file, _, beginning in re.findall(r"`([\w/]+\.py)(::(\w+))?`", ROWS[row].split("|")[-2]):
        assert any(name.startswith(beginning or "test_") for name in functions(TESTS / file)), (file, beginning)


def test_the_number_of_a_scenario_is_a_row_of_the_list() -> None:
    assert list(ROWS) == list(range(1, len(ROWS) + 1))
    for path in (TESTS / "scenarios").glob("test_*.py"):
        for name in functions(path):
            for number in re.findall(r"(?<=_)\d\d(?=_)", name):
                assert f"scenarios/{path.name}::test_" in ROWS[int(number)], name


if __name__ == "__main__":
    print("\n".join(modules_without_tests()))  # noqa: T201 - this is a command
