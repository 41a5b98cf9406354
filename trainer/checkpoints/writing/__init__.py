"""Saving of checkpoints: values read from the graph, files written and read back, the commit record.

The names of ``__init__.pyi`` are loaded on first use: saving needs TensorFlow, a callback's constructor does not.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
