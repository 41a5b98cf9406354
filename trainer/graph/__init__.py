"""The graph of a run: the inference part, the training part, the fused steps."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
