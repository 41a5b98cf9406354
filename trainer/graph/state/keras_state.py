"""State that Keras keeps for a whole process: names of layers, precision, seeds."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from keras.src.backend.common import global_state

TRACKERS = ("GLOBAL_STATE_TRACKER", "GLOBAL_SETTINGS_TRACKER")
"""Variables of Keras's module that ``keras.utils.clear_session`` replaces; earlier versions have the first one only."""

BUILDING = threading.RLock()
"""Lock of those who build a graph: what Keras keeps is shared by all threads."""


@contextlib.contextmanager
def keras_state_kept() -> Iterator[None]:
    """Gives Keras its state back after a graph is built; one thread at a time builds.

    Example:
        >>> import keras
        >>> keras.config.set_dtype_policy("float64")
        >>> with keras_state_kept():
        ...     keras.utils.clear_session()
        ...     keras.config.dtype_policy().name
        'float32'
        >>> keras.config.dtype_policy().name
        'float64'
        >>> keras.config.set_dtype_policy("float32")
    """
    with BUILDING:
        kept = {name: getattr(global_state, name) for name in TRACKERS if hasattr(global_state, name)}
        try:
            yield
        finally:
            for name, tracker in kept.items():
                setattr(global_state, name, tracker)
