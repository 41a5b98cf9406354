"""Names of averaged variables in the collection of a ``.meta``, which plain TensorFlow reads as strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainer.errors import CheckpointError

COLLECTION = "averages_of_variables"
"""Key of the collection."""


@dataclass(frozen=True)
class AverageName:
    """Names of a variable and of its average, as a checkpoint stores them.

    Args:
        variable: Name of the trained variable.
        average: Name of its average.
        slice_spec: Slice of the whole average that belongs to the variable, in TensorFlow's notation; '' for all of it.
        count: Name of the counter of updates, 0 while the average has no value yet; None if it always has one.

    Example:
        >>> AverageName("w", "adam/w_average", None).to_json()
        '{"variable": "w", "average": "adam/w_average", "count": null, "slice_spec": ""}'
    """

    variable: str
    average: str
    count: str | None
    slice_spec: str = ""

    def to_json(self) -> str:
        """Returns the names as one string."""
        return json.dumps(asdict(self))


def average_names(meta: Any) -> Mapping[str, AverageName]:
    """Returns the names of the averages in a MetaGraphDef by the name of the variable; {} if there are none.

    Raises:
        CheckpointError: The collection is damaged.
    """
    if COLLECTION not in meta.collection_def:
        return {}
    values = meta.collection_def[COLLECTION].bytes_list.value
    try:
        return {each.variable: each for each in (AverageName(**json.loads(value)) for value in values)}
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"the collection {COLLECTION} of the graph is damaged") from error
