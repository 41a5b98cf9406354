"""Random ops whose state is kept in the session, so that they start anew in each process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STATEFUL = frozenset(
    {
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "TruncatedNormal",
    }
)


def stateful_random_ops(functions: Iterable[Any]) -> list[str]:
    """Returns the names of stateful random ops in ``FunctionDef`` messages, each once."""
    found = {node.name for function in functions for node in function.node_def if node.op in STATEFUL}
    return sorted(found)
