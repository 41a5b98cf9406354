"""A run from its parts to its end: build, check, lock, loop, report."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
