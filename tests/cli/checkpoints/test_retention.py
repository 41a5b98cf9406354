"""plan: what a retention policy would keep."""

from __future__ import annotations


def test_the_plan_of_a_retention(tool, tool_json) -> None:
    arguments = ["plan", "--epochs", 40, "--every-n-epochs", 10, "--max-to-keep", 2, "--pinned", 10]
    assert tool_json(*arguments) == (0, {"saves": 4, "most_at_once": 4, "kept": [10, 30, 40]})
    assert "4 saves, 3 kept at the end, at most 4 on disk at once" in tool(*arguments)[1]
    code, text = tool("plan", "--epochs", 40, "--every-n-epochs", 0)
    assert (code, "every_n_epochs (0) must be at least 1" in text) == (2, True)
