"""Sources of batches, and functions that give their examples.

What needs TensorFlow or an extra is loaded on first use, by the names of ``__init__.pyi``.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
