"""A long call made in another thread, so that this one stays able to act."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

CLOSE_SECS = 1.0
"""Seconds to wait for the close of a session, which waits for a call that is still running, Python code included."""

NAME = "trainer-call"
"""Name of the threads of calls."""

LOOK_SECS = 0.1
"""Seconds between two looks at the limit; the end of the call is noticed at once."""


def in_background(call: Callable[[], T], limit_secs: float = float("inf")) -> T:
    """Returns what a call returns; meanwhile this thread handles signals, which a call into TensorFlow keeps waiting.

    Where this thread raises, the call goes on unheard: close its session to end it.

    Args:
        call: Function without arguments.
        limit_secs: Seconds after which the wait is given up.

    Raises:
        TimeoutError: The call took longer.
        BaseException: What the call raised, or a handler of a signal.

    Example:
        >>> in_background(lambda: 2 + 3)
        5
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            raised.append(error)

    thread = threading.Thread(target=work, name=NAME, daemon=True)
    thread.start()
    looks = 0
    while thread.is_alive():
        thread.join(LOOK_SECS)
        looks += 1
        if thread.is_alive() and looks * LOOK_SECS >= limit_secs:
            raise TimeoutError(f"not ended after {limit_secs:.0f} s")
    if raised:
        raise raised[0]
    return returned[0]


@contextlib.contextmanager
def closing_in_time(session: Any) -> Iterator[Any]:
    """Closes a session at the end of the block, which cancels a call left running; waits a second at most for that.

    Args:
        session: ``tf.compat.v1.Session``; its own ``with`` block may wait for half a minute.
    """
    try:
        yield session
    except BaseException:
        with contextlib.suppress(TimeoutError):
            in_background(session.close, CLOSE_SECS)
        raise
    session.close()


def calls_left() -> bool:
    """Returns whether a call that was given up still runs; Python must not end under it, as it may call Python."""
    return any(thread.name == NAME for thread in threading.enumerate())
