"""Frozen graphs for other runtimes, each verified against the ``.pb`` before it counts."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
