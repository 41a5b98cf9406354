"""Tab completion: the query of a shell, translated for Hydra's completion."""

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
    """Query of a shell for completions.

    Args:
        line: Command line before the word to complete.
        word: Word to complete, "" for a new one.
        shell: Override that names the shell, such as ``query=bash``.
    """

    line: CommandLine
    word: str
    shell: str = "query=bash"


def asks(line: CommandLine) -> bool:
    """Returns whether a shell asks for completions, rather than for their installation."""
    return line.has("--shell-completion") and any(each.startswith("query=") for each in line.overrides)


def query_of(line: CommandLine, environment: Mapping[str, str]) -> Query:
    """Returns the query of a shell.

    Args:
        line: Arguments of this process; the shell runs ``PROGRAM -sc query=SHELL``.
        environment: Environment variables; ``COMP_LINE`` has the line typed so far.

    Raises:
        RequestError: The line typed so far cannot be parsed, as it is not finished yet.
    """
    shell = next(each for each in line.overrides if each.startswith("query="))
    typed = environment.get("COMP_LINE", "")
    words = _words(typed)[1:]
    word = words.pop() if words and not typed[-1].isspace() else ""
    return Query(arguments(words), word, shell)


def own_words(query: Query, commands: Sequence[str]) -> list[str]:
    """Returns completions that Hydra does not know: flags, and the commands if no word comes before.

    Args:
        query: Query of the shell.
        commands: Names of the commands that may come first.

    Example:
        >>> own_words(Query(arguments([]), "che"), ["checkpoints", "models"])
        ['checkpoints']
    """
    first = [] if query.line.words else [each for each in commands if each.startswith(query.word)]
    return [*first, *(each for each in FLAGS if query.word.startswith("-") and each.startswith(query.word))]


def ask_hydra(query: Query, overrides: Sequence[str], run_hydra: Callable[[list[str]], None]) -> None:
    """Makes Hydra print the completions of the word.

    Hydra splits the line at spaces, so overrides with spaces are left out. It mistakes a program for Python if a
    directory in its path contains "python", so the line starts with the installed command.

    Args:
        query: Query of the shell.
        overrides: Overrides before the word.
        run_hydra: Function that runs Hydra with the given arguments.
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
    except ValueError:  # a quotation mark is not closed yet
        return line.split()
