"""Trunks (backbones): pretrained frozen graphs as parts of new models, verified in the frozen result."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
