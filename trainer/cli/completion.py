"""Tab completion: the question of a shell, put into words that Hydra's completion understands."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainer.cli.arguments import FLAGS, CommandLine, arguments
from trainer.cli.program import COMMAND


@dataclass(frozen=True)
class Query:
    """Question of a shell.

    Args:
        line: What was typed before the word that is completed.
        word: The word itself, "" for a new one.
        shell: The override that names the shell, such as ``query=bash``.
    """

    line: CommandLine
    word: str
    shell: str = "query=bash"


def asks(line: CommandLine) -> bool:
    """Returns whether a shell asks for completions; else it installs them."""
    return line.has("--shell-completion") and any(each.startswith("query=") for each in line.overrides)


def query_of(line: CommandLine, environment: Mapping[str, str]) -> Query:
    """Returns the question of a shell.

    Args:
        line: Arguments of this process: the shell runs ``PROGRAM -sc query=SHELL``.
        environment: With ``COMP_LINE``, the whole line that is typed.

    Raises:
        RequestError: The typed line cannot be read, as it is not finished yet.
    """
    shell = next(each for each in line.overrides if each.startswith("query="))
    typed = environment.get("COMP_LINE", "")
    words = _words(typed)[1:]
    word = words.pop() if words and not typed[-1].isspace() else ""
    return Query(arguments(words), word, shell)


def own_words(query: Query, commands: Sequence[str]) -> list[str]:
    """Returns completions that Hydra does not know: commands at the first place, and flags.

    Example:
        >>> own_words(Query(arguments([]), "che"), ["checkpoints", "models"])
        ['checkpoints']
    """
    first = [] if query.line.words else [each for each in commands if each.startswith(query.word)]
    return [*first, *(each for each in FLAGS if query.word.startswith("-") and each.startswith(query.word))]


def ask_hydra(query: Query, overrides: Sequence[str], run_hydra: Callable[[list[str]], None]) -> None:
    """Lets Hydra print completions of the word.

    Hydra splits the line at blanks, and takes a program below a directory with "python" in its name for Python.

    Args:
        query: Question of the shell.
        overrides: Settings before the word.
        run_hydra: Runs Hydra with these arguments.
    """
    before = [each for each in overrides if not any(map(str.isspace, each))]
    mode = ["--multirun"] if query.line.has("--multirun") else []
    os.environ["COMP_LINE"] = " ".join([COMMAND, *mode, *before, query.word])
    configs = [each for each in query.line.flags if each.startswith("--config-")]
    sys.stdout.flush()
    run_hydra([*configs, "--shell-completion", query.shell])


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quotation mark is still open
        return line.split()
