"""Form in which a model gets inputs, labels and sample weights, which the graph holds as dense tensors by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer.model import Tensors


@dataclass(frozen=True)
class ElementStructure:
    """Structure of the elements of a data source.

    The graph holds a batch as two dicts of dense tensors by name, inputs and labels; sample weights are among the
    labels. A model gets what its data has.

    Args:
        sample_weight: Name, among the labels, of the tensor of sample weights; None where the data has none.
    """

    sample_weight: str | None = None

    def inputs(self, named: Tensors) -> Any:
        """Returns the inputs as the model gets them."""
        return named

    def labels(self, named: Tensors) -> Any:
        """Returns the labels as the model gets them."""
        return {name: tensor for name, tensor in named.items() if name != self.sample_weight}

    def weights(self, named: Tensors) -> Any:
        """Returns the sample weights, or None."""
        return None if self.sample_weight is None else named[self.sample_weight]


NAMED = ElementStructure()
"""Structure of a pair of dicts by name, which the model gets as they are."""
