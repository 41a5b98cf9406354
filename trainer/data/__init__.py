"""Sources of batches, and functions that return their examples.

The names in ``__init__.pyi``, which need TensorFlow or an extra, are loaded on first use.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
