"""Lines of docstrings of Python's standard library, each with the module that it is from; no TensorFlow."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.checks import check_int, check_names
from trainer.data.arrays import Arrays
from trainer.errors import RequestError

MODULES = ("_pydecimal", "difflib", "doctest", "inspect", "ipaddress", "tarfile", "threading", "turtle")
"""Modules of one file with some hundred lines of docstrings."""

WORD = re.compile(r"[a-z0-9_]+")
"""Words of a text in lower case."""

MIN_WORDS = 4
"""Minimum number of words in a line."""


def load_docstrings(modules: Sequence[str] = MODULES) -> Arrays:
    """Returns the lines of four words and more; they are read from source files, which are not run.

    Args:
        modules: Names of modules of the standard library.

    Returns:
        Input ``line`` and label ``module``, strings [examples]; a line of two modules is left out.

    Raises:
        RequestError: A module has no source file.

    Example:
        >>> lines = load_docstrings(["turtle", "difflib"])
        >>> len(lines) > 500, sorted(set(lines.labels["module"].tolist()))
        (True, ['difflib', 'turtle'])
    """
    lines = {name: lines_of(name) for name in check_names("modules", modules)}
    counts = Counter(line for found in lines.values() for line in found)
    pairs = [(line, name) for name, found in lines.items() for line in found if counts[line] == 1]
    texts, names = zip(*pairs, strict=True)
    return Arrays({"line": np.asarray(texts)}, {"module": np.asarray(names)})


def vocabulary(size: int = 2000, modules: Sequence[str] = MODULES) -> list[str]:
    """Returns the most frequent words of the lines, the most frequent first.

    Args:
        size: Maximum number of words.
        modules: Names of modules of the standard library.

    Example:
        >>> len(vocabulary(3)), "the" in vocabulary(3)
        (3, True)
    """
    check_int("size", size, minimum=1)
    counts = Counter(word for name in modules for line in lines_of(name) for word in words_of(line))
    return sorted(counts, key=lambda word: (-counts[word], word))[:size]


def words_of(line: str) -> list[str]:
    """Returns the words of a line, in lower case.

    Example:
        >>> words_of("Return True, if x_1 is NaN.")
        ['return', 'true', 'if', 'x_1', 'is', 'nan']
    """
    return WORD.findall(line.lower())


def lines_of(module: str) -> list[str]:
    """Returns the lines of the docstrings of a module, in alphabetical order.

    Raises:
        RequestError: The module has no source file.
    """
    spec = importlib.util.find_spec(module)
    file = Path(spec.origin) if spec and spec.origin else None
    if file is None or file.suffix != ".py" or not file.is_file():
        raise RequestError(f"modules: {module!r} has no source file in this Python; name others", argument="modules")
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, kinds)]
    lines = {line.strip() for node in nodes for line in (ast.get_docstring(node) or "").splitlines()}
    return sorted(line for line in lines if len(words_of(line)) >= MIN_WORDS)
