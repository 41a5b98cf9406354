"""Docstrings that editors show line by line: each summary and each entry can be read alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

FILES = sorted([*(ROOT / "trainer").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")])
QUESTION = re.compile(r"(What|Where|Which|Whether|Who|How|That|As)\b")
ENTRY = re.compile(r"\s+[\w, *]+: (?P<text>.+)")
SECTION = re.compile(r"\s*(?P<name>Args|Attributes|Raises|Returns|Example|References):$")
STARTS = re.compile(r"[A-Z`0-9\"'(\[]")


def docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of a module, its classes and its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def entries(docstring: str) -> Iterator[str]:
    """Yields the texts of the entries of Args, Attributes and Raises."""
    section = ""
    for line in docstring.splitlines():
        if match := SECTION.match(line):
            section = match["name"]
        elif section in ("Args", "Attributes", "Raises") and (match := ENTRY.match(line)):
            yield match["text"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_summaries_begin_with_a_noun_or_a_verb_and_entries_stand_alone(path) -> None:
    for docstring in docstrings(path):
        assert not QUESTION.match(docstring), docstring.splitlines()[0]
        assert [text for text in entries(docstring) if not STARTS.match(text)] == []


def test_the_rule_finds_what_it_forbids() -> None:
    wrong = "What it is.\n\nArgs:\n    name: of the run.\n    seed: Seed of the run.\n\nReturns:\n    it: nothing"
    assert QUESTION.match(wrong)
    assert list(entries(wrong)) == ["of the run.", "Seed of the run."]
    assert not STARTS.match("of the run.")
