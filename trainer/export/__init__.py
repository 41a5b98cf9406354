"""Exports: the inference part extracted, frozen or saved as a SavedModel, and read back."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
