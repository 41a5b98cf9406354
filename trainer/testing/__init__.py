"""Checks for tests of a user's own; names are loaded on first use."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
