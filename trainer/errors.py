"""The errors of this program, each with the exit code of the command line."""

from __future__ import annotations

import re
import traceback

from trainer.error_text import cause, user_place

SAYS_ITS_TYPE = re.compile(
    r"(?:in \w+ of the data set: )?\w+(?:Error|Exception|Iteration|Interrupt): |the op |out of memory"
)
"""Beginnings of messages that need no type of TensorFlow's before them."""


class TrainerError(Exception):
    """Failure of a run: the message says what happened and what to do; no traceback is shown."""

    exit_code = 1


class RequestError(TrainerError, ValueError):
    """Request that cannot be carried out (config, paths, names); nothing has been created.

    Args:
        message: Reason and remedy, in the words of a Python caller.
        argument: Name of the argument that is wrong, such as ``compile`` or ``trunk.path``; '' where there
            is no single one. A command line adds the config key or flag that sets it.

    Example:
        >>> RequestError("compile='xla' needs data in memory", argument="compile").argument
        'compile'
    """

    exit_code = 2

    def __init__(self, message: str, *, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class DamagedError(RequestError):
    """Requested file that is not what was written."""

    exit_code = 1


class CallbackError(TrainerError):
    """Failure of a callback; the message names the callback and the event.

    Args:
        name: Name of the callback in the run.
        event: Method that raised, such as ``on_epoch_end``.
        error: Error that it raised; kept as ``__cause__`` by ``raise ... from``.
    """

    def __init__(self, name: str, event: str, error: BaseException) -> None:
        super().__init__(f"callbacks.{name} failed in {event}: {describe(error)}{place_in(error)}")
        self.name = name
        self.event = event


class CheckpointError(TrainerError):
    """Checkpoint that is missing, damaged, or does not fit the graph."""


class ReadBackError(TrainerError):
    """Exported file whose outputs differ from those of the live session; it was not put in place."""


class NonFiniteError(TrainerError):
    """Value that is not finite, so that training cannot continue; no checkpoint holds it.

    Remedies are a lower learning rate, or the callback ``NanGuard(action="rollback")``.

    Args:
        what: Name of the tensor: ``loss``, or a variable.
        value: Value as text: nan or an infinity.
        step: Update after which it was seen, counted from 1 in the run.
        remedy: Remedy, for the message.
    """

    def __init__(self, what: str, value: str, step: int, remedy: str = "") -> None:
        super().__init__(f"{what} is {value} after step {step:,}{remedy}")
        self.what = what
        self.value = value
        self.step = step

    def because(self, reason: str) -> NonFiniteError:
        """Returns the same error with the reason in its message.

        Example:
            >>> print(NonFiniteError("loss", "nan", 37).because("Log (model.py:30) gave -inf for an input of 0"))
            loss is nan after step 37: Log (model.py:30) gave -inf for an input of 0
        """
        return NonFiniteError(self.what, self.value, self.step, f": {reason}")


class Interrupted(TrainerError):  # noqa: N818 - it is a request, not a mistake
    """Stop that a signal asked for; the state is saved before the process ends.

    Args:
        signal_number: Number such as 2 for SIGINT or 15 for SIGTERM; the exit code is 128 more, as in shells.
        signal_name: Name of the signal, for the message.
    """

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(f"stopped by {signal_name}")
        self.exit_code = 128 + signal_number


def describe(error: BaseException) -> str:
    """Returns the cause of an error in a few lines, with its type where the message alone says little."""
    text = str(error).strip()
    if isinstance(error, SystemExit):
        return "it ends the program (sys.exit), as argparse and flags do that find arguments of others"
    if isinstance(error, TrainerError) and text:
        return text
    if isinstance(error, KeyError):
        return f"KeyError: {text}"
    message = cause(text)
    if type(error).__module__.startswith("tensorflow.") and SAYS_ITS_TYPE.match(message):
        return message
    if isinstance(error, MemoryError):
        return f"out of memory: {message or 'no more can be allocated'}; set a smaller data.batch_size"
    if isinstance(error, ValueError | TypeError) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def place_in(error: BaseException) -> str:
    """Returns the innermost place of an exception in the user's own code, such as `` (model.py:7)``, or ""."""
    place = user_place("".join(traceback.format_tb(error.__traceback__)))
    return f" ({place})" if place else ""
