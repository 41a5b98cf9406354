"""Lines that tell of work that lasts."""

from __future__ import annotations

import logging
import time

from trainer.timing import LASTING, lasting, tell_until, timed, told


def lines_after(secs: float, caplog) -> list[str]:
    """Returns the lines about work that takes so long by a clock of the test's own."""
    now = [0.0]

    def ended_within(wait: float) -> bool:
        now[0] += wait
        return now[0] >= secs

    with caplog.at_level(logging.INFO):
        tell_until("reading the data", ended_within, clock=lambda: now[0])
    return caplog.messages


def test_short_work_is_not_told(caplog) -> None:
    assert lines_after(4.9, caplog) == []


def test_work_that_lasts_is_told_at_growing_intervals(caplog) -> None:
    told_at = [line.removeprefix("still reading the data (").removesuffix(" s)") for line in lines_after(300, caplog)]
    assert told_at == ["5", "10", "20", "40", "80", "140", "200", "260"]


def test_a_terminal_is_told_each_second_and_that_it_has_ended(caplog) -> None:
    shown: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())  # type: ignore[method-assign]
    lasting.addHandler(handler)
    with caplog.at_level(LASTING, logger=lasting.name):
        lines = lines_after(6.5, caplog)
    lasting.removeHandler(handler)
    assert shown == [*(f"reading the data ({secs} s)" for secs in (1, 2, 3, 4, 5, 6)), ""]
    assert lines == ["still reading the data (5 s)"]


def test_the_line_comes_while_the_work_goes_on(caplog, monkeypatch) -> None:
    monkeypatch.setattr("trainer.timing.FIRST_TOLD_SECS", 0.05)
    with caplog.at_level(logging.INFO), told("sorting"):
        limit = time.monotonic() + 10
        while not caplog.messages and time.monotonic() < limit:
            time.sleep(0.01)
    assert caplog.messages[0] == "still sorting (0 s)"


def test_the_end_of_a_step_is_told_at_the_level_of_v(caplog) -> None:
    with caplog.at_level(logging.DEBUG), timed("sorting"):
        pass
    assert caplog.messages[-1].endswith(" s  sorting")
