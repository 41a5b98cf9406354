"""The few errors of this program, each with the exit code it ends a run with."""

from __future__ import annotations


class TrainerError(Exception):
    """The run failed: the message says what happened and what to do; no traceback is shown."""

    exit_code = 1


class RequestError(TrainerError, ValueError):
    """What was asked for cannot be done (config, paths, names); nothing has been created.

    Args:
        message: Reason and remedy, in the words of a Python caller.
        argument: Name of the argument that is wrong, such as ``compile`` or ``trunk.path``; '' where no
            single one is. A command line adds the config key or flag that sets it.

    Example:
        >>> RequestError("compile='xla' needs data in memory", argument="compile").argument
        'compile'
    """

    exit_code = 2

    def __init__(self, message: str, *, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class DamagedError(RequestError):
    """A file that was asked for is not what was written."""

    exit_code = 1


class CallbackError(TrainerError):
    """A callback raised; the message names the callback and the event.

    Args:
        name: the callback's name in the config.
        event: the method that raised, such as ``on_epoch_end``.
        error: what it raised; kept as ``__cause__`` by ``raise ... from``.
    """

    def __init__(self, name: str, event: str, error: BaseException) -> None:
        super().__init__(f"callbacks.{name} failed in {event}: {describe(error)}")
        self.name = name
        self.event = event


class CheckpointError(TrainerError):
    """A checkpoint is missing, damaged, or does not fit the graph."""


class ReadBackError(TrainerError):
    """An exported file does not give what the live session gives; it was not put in place."""


class NonFiniteError(TrainerError):
    """A number that training cannot go on with; no checkpoint holds it.

    Args:
        what: the tensor: ``loss``, or a variable.
        value: nan or an infinity, as text.
        step: the update after which it was seen, the first of the run being 1.
        remedy: for the message.
    """

    def __init__(self, what: str, value: str, step: int, remedy: str = "") -> None:
        super().__init__(f"{what} is {value} after step {step:,}{remedy}")
        self.what = what
        self.step = step


class Interrupted(TrainerError):  # noqa: N818 - it is a request, not a mistake
    """A signal asked the run to stop; its state is saved before the process ends.

    Args:
        signal_number: 2 for SIGINT, 15 for SIGTERM; the exit code is 128 more, as shells have it.
        signal_name: as the person knows it, for the message.
    """

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(f"stopped by {signal_name}")
        self.exit_code = 128 + signal_number


FRAME = (
    " ",
    "\t",
    "Graph execution error",
    "Detected at node",
    "Node:",
    "Original stack trace",
    "Errors may have originated",
)
"""What the other lines of TensorFlow's errors begin with."""


def describe(error: BaseException) -> str:
    """Returns the error's message, or its type where it has none or the message alone says little."""
    text = str(error).strip()
    if type(error).__module__.startswith("tensorflow."):
        # Around the one line that tells what happened is a screen of where the op was made.
        lines = [line for line in text.split("\n") if line and not line.startswith(FRAME)]
        text = lines[0] if lines else text.split("\n")[0]
    if isinstance(error, TrainerError | ValueError | TypeError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
