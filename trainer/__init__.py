"""A training-loop framework for TensorFlow in graph mode; importing it imports nothing heavy.

The public names are those of ``__all__``, listed in ``__init__.pyi`` and loaded on first use.
"""

from trainer.lazy_face import attach

__version__ = "0.1.0"

__getattr__, __dir__, _names = attach(__name__, __file__)
__all__ = [*_names, "__version__"]
