"""Inspection of a model without running it: a summary of its file, and a picture of its graph."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
