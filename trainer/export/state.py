"""Choice for exports of models whose inference changes variables; no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.errors import RequestError

if TYPE_CHECKING:
    from trainer.graph.forward.inference import Inference


def check_state(choice: str, inference: Inference) -> None:
    """Refuses a model whose inference changes variables, if that was chosen.

    Args:
        choice: ``initial`` or ``refuse``.
        inference: Inference part; its outputs are those of the initial values of such variables.

    Raises:
        RequestError: The choice is ``refuse`` and there are such variables.
    """
    if choice == "refuse" and inference.state:
        raise RequestError(
            f"state='refuse': inference changes {', '.join(inference.state)}, and an export cannot go on from the last "
            "call; state='initial' starts each call from the initial values",
            argument="state",
        )
