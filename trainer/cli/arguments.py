"""Command-line arguments in the order that Hydra expects; plain functions over strings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainer.checks import suggestion
from trainer.errors import RequestError
from trainer.files import local_path

SWITCHES = (
    "--help",
    "--hydra-help",
    "--version",
    "--resolve",
    "--run",
    "--multirun",
    "--shell-completion",
    "--verbose",
)
WITH_VALUE = ("--cfg", "--package", "--config-path", "--config-name", "--config-dir", "--experimental-rerun")
FLAGS = (*SWITCHES, *WITH_VALUE, "--info")
SHORT = {
    "-h": "--help",
    "-r": "--run",
    "-m": "--multirun",
    "-sc": "--shell-completion",
    "-v": "--verbose",
    "-c": "--cfg",
    "-p": "--package",
    "-cp": "--config-path",
    "-cn": "--config-name",
    "-cd": "--config-dir",
    "-i": "--info",
}
CHOICES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
EXCLUSIVE_FLAGS = ("--run", "--multirun", "--cfg", "--info", "--shell-completion")
DIRECTORIES_OF_HYDRA = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
CONFIG_FLAGS = ("--config-path", "--config-name", "--config-dir")
"""Flags that a command needs in order to give the same config again."""

ADDED_CALLBACKS = re.compile(r"\+callbacks=(?:\[([\w/, -]*)\]|([\w/-]+))")
QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1(\s*:)?""")
PLAIN_KEY = re.compile(r"[\w/+.$%*@?|-]+")
"""Keys of mappings that Hydra reads without quotes, as it wants them."""

SWEPT_EXPERIMENT = re.compile(r"\+?experiment=.*,")


@dataclass(frozen=True)
class CommandLine:
    """Command line in the order that Hydra expects.

    Args:
        flags: Flags with their values, one word each, such as ``--cfg=job``.
        overrides: Other words, in the order in which they were typed.
        verbose: Whether ``-v`` is among them.
    """

    flags: tuple[str, ...]
    overrides: tuple[str, ...]
    verbose: bool = False

    @property
    def words(self) -> list[str]:
        """Words of the command line, flags first."""
        return [*self.flags, *self.overrides]

    def has(self, flag: str) -> bool:
        """Returns whether a flag is present, with or without a value."""
        return any(each.partition("=")[0] == flag for each in self.flags)

    def value(self, flag: str) -> str | None:
        """Returns the last value of a flag, or None if it is absent."""
        values = [value for name, _, value in (each.partition("=") for each in self.flags) if name == flag]
        return values[-1] if values else None


def arguments(typed: Sequence[str], commands: Iterable[str] = ()) -> CommandLine:
    """Returns the arguments for Hydra, which expects its flags in one block and a plus before ``experiment=``.

    Args:
        typed: Words after the name of the program.
        commands: Names of the commands that may come first, as suggestions for a misspelt one.

    Raises:
        RequestError: A flag or a word is unknown, or two flags exclude each other.

    Example:
        >>> arguments(["experiment=linear", "-m", "seed=1,2", "--config-dir", "conf"]).words
        ['--multirun', '--config-dir=conf', '+experiment=linear', 'seed=1,2']
    """
    flags: list[str] = []
    overrides: list[str] = []
    words = list(typed)
    while words:
        word = words.pop(0)
        if word == "--":
            overrides += words
            break
        if word.startswith("-") and word != "-":
            flags.append(_flag(word, words))
        else:
            overrides.append(word)
    others = tuple(each for each in flags if each != "--verbose")
    line = CommandLine(others, tuple(map(_for_hydra, overrides)), len(others) < len(flags))
    _check(line, tuple(commands))
    return line


def _flag(word: str, following: list[str]) -> str:
    """Returns a flag by its long name, with its value; a value may be taken from the words that follow."""
    typed, equals, value = word.partition("=")
    name = _long_name(typed)
    if name in SWITCHES:
        if equals:
            raise RequestError(f"{name} takes no value; leave out ={value}")
        return name
    choices = CHOICES.get(name)
    if not equals and name == "--info":
        value = following.pop(0) if following and following[0] in CHOICES["--info"] else "all"
    elif not equals:
        if not following:
            needed = f", one of: {', '.join(choices)}" if choices else ""
            raise RequestError(f"{name} needs a value{needed}")
        value = following.pop(0)
    if choices and value not in choices:
        raise RequestError(f"{name} ({value!r}) is not known; {suggestion(value, choices)}")
    if name == "--config-dir":
        value = str(local_path(value, name))
    if name == "--config-path" and not value.startswith("pkg://"):
        # Hydra takes a relative one for a package beside this module, not for a directory of the user.
        value = str(local_path(value, name).absolute())
    return f"{name}={value}"


def _long_name(typed: str) -> str:
    """Returns the long name of a flag; an unambiguous prefix is enough."""
    matches = [each for each in FLAGS if each.startswith(typed)] if typed.startswith("--") else []
    name = typed if typed in FLAGS else SHORT.get(typed) or (matches[0] if len(matches) == 1 else None)
    if name is None:
        raise RequestError(f"there is no flag {typed}; {suggestion(typed, [*FLAGS, *SHORT])}")
    return name


def _for_hydra(override: str) -> str:
    key, equals, value = override.partition("=")
    if key in DIRECTORIES_OF_HYDRA:
        return f"{key}{equals}{local_path(value, key)}"
    if equals and value.startswith("{"):
        return f"{key}={with_plain_keys(value)}"
    return f"+{override}" if override.startswith(("experiment=", "debug=")) else override


def with_plain_keys(mapping: str) -> str:
    """Returns a mapping whose keys have no quotes, which JSON and YAML allow and Hydra does not.

    Args:
        mapping: Mapping as typed.

    Example:
        >>> with_plain_keys('{"body/*": "a: b", "two words": 1}')
        '{body/*: "a: b", "two words": 1}'
    """

    def plain(match: re.Match[str]) -> str:
        is_key = match.group(3) is not None and PLAIN_KEY.fullmatch(match.group(2))
        return f"{match.group(2)}{match.group(3)}" if is_key else match.group(0)

    return QUOTED.sub(plain, mapping)


def _check(line: CommandLine, commands: Sequence[str]) -> None:
    for word in line.overrides:
        if "=" not in word and not word.startswith("~"):
            hint = suggestion(word, commands) if commands else "write KEY=VALUE"
            raise RequestError(f"{word!r} is neither KEY=VALUE nor a command; {hint}")
    modes = [each for each in EXCLUSIVE_FLAGS if line.has(each)]
    if len(modes) > 1:
        raise RequestError(f"{modes[0]} and {modes[1]} exclude each other; leave one out")
    if line.has("--resolve") and not (line.has("--cfg") or line.has("--help")):
        raise RequestError("--resolve goes with --cfg; add --cfg job")


def adds_callbacks(override: str) -> bool:
    """Returns whether a word is ``+callbacks=NAME`` or ``+callbacks=[NAME, ...]``."""
    return ADDED_CALLBACKS.fullmatch(override) is not None


def with_added_callbacks(overrides: Sequence[str], chosen: Sequence[str]) -> tuple[str, ...]:
    """Returns the overrides with all ``+callbacks=NAME`` merged into one complete choice of callbacks.

    Hydra gives a group one value, so an addition has to be the complete list.

    Args:
        overrides: Overrides of the command line.
        chosen: Choices of the group without the additions, in running order.

    Raises:
        RequestError: The overrides sweep over experiments, which may choose different callbacks.

    Example:
        >>> with_added_callbacks(["+experiment=linear", "+callbacks=early_stopping"], ["default"])
        ('+experiment=linear', 'callbacks=[default,early_stopping]')
    """
    names: list[str] = []
    for match in filter(None, map(ADDED_CALLBACKS.fullmatch, overrides)):
        listed = match.group(2) or match.group(1)
        names += [name.strip() for name in listed.split(",") if name.strip()]
    if not names:
        return tuple(overrides)
    choice = f"callbacks=[{','.join(dict.fromkeys([*chosen, *names]))}]"
    if any(map(SWEPT_EXPERIMENT.match, overrides)):
        raise RequestError(
            f"+callbacks={names[0]} cannot be added in a sweep over experiments; write the whole list: '{choice}'"
        )
    others = [each for each in overrides if not adds_callbacks(each) and not each.startswith("callbacks=")]
    return (*others, choice)


def shell_command(program: str, line: CommandLine, overrides: Iterable[str]) -> str:
    """Returns a command for a shell that gives the same config again.

    Args:
        program: Name of the program, which may be several words.
        line: Command line as typed; its flags that name configs are kept.
        overrides: Overrides of this job; in a sweep each job has others.

    Example:
        >>> shell_command("graph-trainer", arguments(["--config-dir", "my conf"]), ["seed=1", "~callbacks.freeze"])
        "graph-trainer '--config-dir=my conf' seed=1 '~callbacks.freeze'"
    """
    flags = [each for each in line.flags if each.partition("=")[0] in CONFIG_FLAGS]
    return " ".join([program, *map(_quoted, [*flags, *overrides])])


def _quoted(word: str) -> str:
    """Returns a word quoted for a shell, on one line."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
