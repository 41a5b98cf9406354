"""Frozen graphs for other runtimes, each checked against the ``.pb`` before it counts."""
