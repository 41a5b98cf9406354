"""Frozen graphs (backbones) as parts of new models: read, put into the graph, found again in the frozen whole."""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
