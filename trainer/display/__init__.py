"""Display of a run while it goes on: texts about its progress, lines on a terminal."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
