"""Exports of the inference part, frozen or as a SavedModel, each read back and compared."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
