"""Conversion of frozen graphs for other runtimes, verified against the ``.pb`` before the file gets its name."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
