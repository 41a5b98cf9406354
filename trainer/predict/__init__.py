"""Predictors over checkpoints, frozen graphs and SavedModels, from a run or from any graph-mode code.

Modules that need TensorFlow are in ``backends``.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
