"""Layers that a step cannot train."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from tests.helpers import Line, run
from trainer.errors import RequestError


class Late(Line):
    """Makes a layer when it is first called in training."""

    layer: Any = None

    def __call__(self, inputs: Any, training: bool) -> Any:
        if training and self.layer is None:
            self.layer = keras.layers.Dense(1)
        op = super().__call__(inputs, training)["op"]
        return {"op": op + self.layer(inputs["x"]) if training else op}


class Again(Line):
    """Makes a layer in each call."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": super().__call__(inputs, training)["op"] + keras.layers.Dense(1)(inputs["x"])}


@pytest.mark.parametrize(("model", "message"), [(Late, "in the constructor"), (Again, "in the constructor")])
def test_layers_made_too_late_or_too_often_are_refused(tmp_path, model, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)
