"""Graphs looked at without running them: the contents of a file, and a picture."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
