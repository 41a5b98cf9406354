"""Places of a model's variables in the files that Keras writes: by structure, not by name."""

from __future__ import annotations

from typing import Any

import keras
from keras.src.saving import saving_lib

from trainer.graph.ops.find_instances import find_instances


def places_in_store(model: Any) -> list[dict[str, str]]:
    """Returns the names of variables by their places in a file of Keras, for each outermost Keras layer of a model.

    Args:
        model: Model in the open graph.

    Example:
        >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="last")], name="net")
        >>> places_in_store({"net": net})
        [{'layers/dense/vars/0': 'net/last/kernel'}]
    """
    return [_places(layer) for layer in find_instances(model, keras.Layer)]


def _places(layer: keras.Layer) -> dict[str, str]:
    store = _Places()
    try:
        saving_lib._save_state(layer, store, assets_store=None, inner_path="", visited_saveables=set())
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        # A layer that writes values in a way of its own has none in a graph.
        return {}
    return {
        f"{path}/vars/{key}".lstrip("/"): str(getattr(each.value, "op", each).name if _in_graph(each) else each.path)
        for path, entry in store.entries.items()
        for key, each in entry.items()
        if isinstance(each, keras.Variable)
    }


def _in_graph(variable: Any) -> bool:
    return not hasattr(variable.value.handle, "numpy")


class _Places(saving_lib.H5IOStore):  # type: ignore[misc] # Keras has no types
    """Store that keeps what a layer hands over: its variables, not their values."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}

    def make(self, path: str, metadata: Any = None) -> dict[str, Any]:
        """Returns the entry of a place."""
        del metadata
        return self.entries.setdefault(path.strip("/"), {})

    def __bool__(self) -> bool:
        return True
