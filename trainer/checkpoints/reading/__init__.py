"""Tensors in a checkpoint's files: without TensorFlow as far as that goes, and their readable names."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
