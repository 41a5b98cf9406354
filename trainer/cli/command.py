"""Parsing, answers and exit codes that the command lines of the tools share. Imports no TensorFlow."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tabulate import tabulate

from trainer.checks import suggestion
from trainer.cli.stdout import close_output, plain, say
from trainer.errors import RequestError, TrainerError, describe
from trainer.files import local_path

FLAGS = {
    "batch": ("--batch", "--input"),
    "depth": ("--depth",),
    "example": ("--input",),
    "inputs": ("--feed",),
    "outputs": ("--outputs", "--output"),
    "prefix": ("--prefix",),
    "representative": ("--representative",),
    "select_tf_ops": ("--select-tf-ops",),
    "signature": ("--signature",),
    "tags": ("--tags",),
    "trust": ("--trust",),
    "export.trust": ("--trust",),
}
"""Flags by the argument of a RequestError that they set; a command has one of them."""

EXIT_CODES = "Exit codes: 0 done; 1 something is damaged, different or failed; 2 the request was wrong."


@dataclass(frozen=True)
class Answer:
    """Result of a command.

    Args:
        data: Result for ``--json``; nan and the infinities become null.
        text: Result as text.
        exit_code: Exit code: 0, or 1 if something is damaged or different.
    """

    data: Any
    text: str
    exit_code: int = 0


Run = Callable[[argparse.Namespace], Answer]


def path_argument(text: str) -> Path:
    """Returns the path that an argument gives, which may be a ``file`` URI.

    Raises:
        argparse.ArgumentTypeError: The path is not on this machine.
    """
    try:
        return local_path(text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """Argument parser that reports a mistake in one line, with close matches."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXIT_CODES, **options
        )

    def error(self, message: str) -> NoReturn:
        """Raises an error instead of printing the usage.

        Raises:
            RequestError: The arguments are wrong; this is always raised.
        """
        raise RequestError(f"{message} ({self.prog} --help shows how)")


class Tool:
    """Command line with several commands.

    Args:
        prog: Name of the program, for usage lines.
        description: Description for ``--help``.

    Example:
        >>> tool = Tool("tool", "Says things.")
        >>> hello = tool.command("hello", "say hello", lambda chosen: Answer({"said": "hello"}, "hello"))
        >>> tool.main(["hello"])
        hello
        0
    """

    def __init__(self, prog: str, description: str) -> None:
        self._parser = Parser(prog=prog, description=description)
        self._subparsers = self._parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
        self._commands: dict[str, argparse.ArgumentParser] = {}

    def command(self, name: str, summary: str, run: Run) -> argparse.ArgumentParser:
        """Adds a command and returns its parser, to which arguments can be added.

        Args:
            name: Name of the command.
            summary: Summary for ``--help``, in lower case.
            run: Function that carries out the command.
        """
        parser = self._subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.set_defaults(run=run, parser=parser)
        self._commands[name] = parser
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command line and returns its exit code.

        Args:
            arguments: Words after the name of the program; None for those of this process.
        """
        return _answered(self._parse, arguments)

    def _parse(self, arguments: list[str]) -> argparse.Namespace:
        if not arguments:
            arguments = ["--help"]
        if not arguments[0].startswith("-") and arguments[0] not in self._commands:
            raise RequestError(f"there is no command {arguments[0]!r}; {suggestion(arguments[0], self._commands)}")
        chosen, unknown = self._parser.parse_known_args(arguments)
        if unknown:
            raise _unknown_flag(arguments[0], unknown[0], self._commands[arguments[0]])
        return chosen


class SingleCommand:
    """Command line without commands below it.

    Args:
        prog: Name of the program, for usage lines.
        description: Description for ``--help``.
        run: Function that carries it out.

    Example:
        >>> SingleCommand("tool", "Says hello.", lambda chosen: Answer({"said": "hello"}, "hello")).main([])
        hello
        0
    """

    def __init__(self, prog: str, description: str, run: Run) -> None:
        self.parser = Parser(prog=prog, description=description)
        """Parser, to which arguments can be added."""
        self.parser.add_argument("--json", action="store_true", help="print the result as JSON")
        self.parser.set_defaults(run=run, parser=self.parser)

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command line and returns its exit code.

        Args:
            arguments: Words after the name of the program; None for those of this process.
        """
        return _answered(self._parse, arguments)

    def _parse(self, arguments: list[str]) -> argparse.Namespace:
        chosen, unknown = self.parser.parse_known_args(arguments)
        if unknown:
            raise _unknown_flag(self.parser.prog, unknown[0], self.parser)
        return chosen


def _unknown_flag(command: str, flag: str, parser: argparse.ArgumentParser) -> RequestError:
    known = set(re.findall(r"--[\w-]+", parser.format_help()))
    return RequestError(f"{command} takes no {flag}; {suggestion(flag, known)}")


def _answered(parse: Callable[[list[str]], argparse.Namespace], arguments: Sequence[str] | None) -> int:
    """Parses a command line, carries it out, writes the answer and returns the exit code."""
    chosen = None
    try:
        chosen = parse(sys.argv[1:] if arguments is None else list(arguments))
        answer: Answer = chosen.run(chosen)
    except TrainerError as error:
        return _refused(error, error.exit_code, "" if chosen is None else chosen.parser.format_help())
    except OSError as error:
        return _refused(error, 1)
    except (ValueError, TypeError) as error:
        return _refused(error, 2)
    text = as_json(answer.data) if chosen.json else answer.text
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{plain(text)}\n")
    close_output()
    return answer.exit_code


def _refused(error: Exception, exit_code: int, help_text: str = "") -> int:
    say(f"error: {describe(error)}{flag_hint(error, help_text)}")
    return exit_code


def flag_hint(error: Exception, help_text: str) -> str:
    """Returns the flag that sets the argument of an error, as `` [--flag VALUE]``, or '' if there is none.

    Args:
        error: Error to report.
        help_text: Help of the command, which lists its flags.

    Example:
        >>> flag_hint(RequestError("no node 'a'", argument="outputs"), "usage: freeze [--outputs NODE [NODE ...]]")
        ' [--outputs NODE]'
    """
    argument = error.argument if isinstance(error, RequestError) else ""
    for flag in FLAGS.get(argument, ()):
        if match := re.search(rf"(?<![\w-]){flag}(?: [^\s\]]+)?", help_text):
            return f" [{match.group()}]"
    return ""


def as_json(data: Any) -> str:
    """Returns a value as JSON text; nan and the infinities, which JSON does not have, become null.

    Example:
        >>> print(as_json({"loss": float("nan"), "word": b"yes"}))
        {
          "loss": null,
          "word": "yes"
        }
    """
    return json.dumps(_jsonable(data), indent=2, allow_nan=False)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str | int | bool | None) else str(value)


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], left: int = 1) -> str:
    """Returns a table as text; None is an empty cell.

    Args:
        rows: Rows of cells.
        headers: Headers of the columns.
        left: Number of columns, from the first, that are left-aligned; the others are right-aligned.
    """
    align = ["left" if i < left else "right" for i in range(len(headers))]
    return tabulate(
        [[as_text(cell) for cell in row] for row in rows], headers=headers, disable_numparse=True, colalign=align
    )


def as_text(value: Any) -> str:
    """Returns a cell of a table: floats with four significant digits, integers with thousands separators.

    Example:
        >>> as_text(0.123456), as_text(123456), as_text(None), as_text((3, 4))
        ('0.1235', '123,456', '', '3 x 4')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return " x ".join("?" if each is None else str(each) for each in value) or "scalar"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def age(secs: float) -> str:
    """Returns a duration in a readable unit.

    Args:
        secs: Duration in seconds.

    Example:
        >>> age(42), age(600), age(9000), age(400_000)
        ('42 s', '10 min', '2.5 h', '4.6 d')
    """
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (2 * 86_400, "h", 3600)):
        if secs < limit:
            return f"{secs / size:.1f} {unit}" if unit == "h" else f"{secs / size:.0f} {unit}"
    return f"{secs / 86_400:.1f} d"
