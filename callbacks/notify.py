"""Notification: a command that runs when a run has ended, in whatever way."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import ClassVar

from trainer.callback import Callback, Context, Phase
from trainer.checks import check_choice, check_names, check_number, finite_or_none
from trainer.display.terminal import is_terminal
from trainer.runs.directory import RunDirectory
from trainer.state import RunState

log = logging.getLogger(__name__)

ENDS = ("finished", "failed", "interrupted")
"""Status of a run that has ended, as ``run.json`` has it."""

MAX_ERROR = 2000
"""Maximum number of characters of an error in an environment variable."""


class Notify(Callback):
    """Runs a command at the end of a run, after its exports and its last change of ``run.json``.

    The command has in its environment ``RUN_DIR``, ``RUN_NAME``, ``RUN_STATUS`` (as in ``run.json``), ``RUN_ERROR``
    ("" for none), ``RUN_EPOCH`` (completed epochs) and ``RUN_METRICS`` (a JSON object). No shell reads it; for one,
    write ``[sh, -c, ...]``. Where it fails or lasts too long, a warning says so: the exit code of the run stays.
    A run that ends before training begins, such as by a wrong request, runs no command.

    Args:
        command: Program and its arguments, a list or a text in a shell's quotes; None rings the terminal's bell.
        when: Ends after which it runs: ``finished``, ``failed``, ``interrupted``.
        timeout_secs: Seconds after which the command and what it has started are killed.

    Raises:
        TypeError, ValueError: A value is out of range, or there is no such program.

    Example:
        >>> Notify(command="echo 'the run has ended'", when=["failed"]).words
        ('echo', 'the run has ended')
        >>> Notify(command="notify-sent me")
        Traceback (most recent call last):
        ValueError: command: there is no program notify-sent on the PATH
    """

    phase: ClassVar[Phase] = Phase.NOTIFY

    def __init__(
        self,
        *,
        command: str | Sequence[str] | None = None,
        when: Sequence[str] = ENDS,
        timeout_secs: float = 60.0,
    ) -> None:
        self.words = () if command is None else _words(command)
        """Program and its arguments; () for the bell."""
        self._when = tuple(check_choice("when", each, ENDS) for each in check_names("when", when))
        self._timeout_secs = check_number("timeout_secs", timeout_secs, above=0)
        self._run: RunDirectory | None = None
        self._record = RunState(0, 0)

    def on_train_begin(self, context: Context) -> None:
        """Takes the directory, from which the end is read."""
        self._run, self._record = context.run, context.record

    def on_train_end(self, context: Context) -> None:
        """Takes the last state."""
        self._record = context.record

    def on_exception(self, context: Context, error: BaseException) -> None:
        """Takes the last state."""
        self._record = context.record

    def close(self) -> None:
        """Runs the command: by now ``run.json`` tells how the run has ended."""
        run, self._run = self._run, None
        if run is None:
            return
        info = run.info()
        if info.status not in self._when:
            return
        if not self.words:
            _ring()
            return
        self._notify(
            {
                "RUN_DIR": str(run.path.absolute()),
                "RUN_NAME": info.name or "",
                "RUN_STATUS": info.status,
                "RUN_ERROR": (info.error or "").replace("\0", "")[:MAX_ERROR],
                "RUN_EPOCH": str(self._record.epoch),
                "RUN_METRICS": json.dumps(finite_or_none(self._record.metrics)),
            }
        )

    def _notify(self, told: dict[str, str]) -> None:
        try:
            # In a session of its own, so that all it has started can be killed, and Ctrl-C is not for it.
            process = subprocess.Popen(
                self.words, env={**os.environ, **told}, stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            log.warning("callbacks.notify.command (%s) did not start: %s", self.words[0], error.strerror)
            return
        try:
            code = process.wait(self._timeout_secs)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            log.warning("callbacks.notify.command (%s) lasted over %g s", self.words[0], self._timeout_secs)
            return
        if code:
            log.warning("callbacks.notify.command (%s) ended with exit code %d", self.words[0], code)


def _ring() -> None:
    if is_terminal():
        sys.stderr.write("\a")
        sys.stderr.flush()


def _words(command: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the words of a command whose program is there.

    Raises:
        TypeError, ValueError: It is no command, or there is no such program.
    """
    try:
        words = shlex.split(command) if isinstance(command, str) else list(check_names("command", command))
    except ValueError as error:
        raise ValueError(f"command ({command!r}): {error}") from error
    if not words:
        raise ValueError("command is empty; give the words of a command, such as [echo, done]")
    if any("\0" in word for word in words):
        raise ValueError(f"command ({command!r}) holds a null character")
    if shutil.which(words[0]) is None:
        raise ValueError(f"command: there is no program {words[0]} on the PATH")
    return tuple(words)
