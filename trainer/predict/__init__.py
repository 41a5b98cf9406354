"""Predictors over what a run, or any graph-mode code, left: checkpoints, frozen graphs, SavedModels.

What needs TensorFlow is in ``backends``.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
