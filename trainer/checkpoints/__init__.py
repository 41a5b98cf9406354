"""Checkpoints on disk: commit records, the store of files, catalogs of directories, resolution of references.

Sub-packages write, restore, retain and analyse them. The public names are listed in ``__init__.pyi``.
"""

from trainer.lazy_face import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
