"""Analysis of checkpoints: inspected, compared, averaged."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
