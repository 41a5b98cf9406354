"""Checkpoints on disk: commit records, the store of files, what a directory holds, which one a reference means.

Sub-rooms write, restore, keep and analyse them. The public names are listed in ``__init__.pyi``.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
