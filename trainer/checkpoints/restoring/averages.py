"""Averages of variables restored from a checkpoint in the place of the variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.reading.reader import stored_tensors
from trainer.errors import RequestError
from trainer.graph.ops.variables import variables_by_name
from trainer.graphdef.averages import AverageName
from trainer.state import WEIGHTS

v1 = tf.compat.v1


def stored_averages(prefix: Path, names: Mapping[str, AverageName], weights: str | None) -> dict[str, AverageName]:
    """Returns the averages to restore, by the name of the variable; {} for the trained variables.

    Args:
        prefix: Prefix of the checkpoint's files.
        names: Names that the graph of the checkpoint declares, by the name of the variable.
        weights: ``averaged``, ``trained``, or None for averages where there are any.

    Raises:
        RequestError: Averages are wanted and there are none, or the value is another one.
        CheckpointError: The checkpoint cannot be read.
    """
    if weights not in (None, *WEIGHTS):
        raise RequestError(f"weights ({weights!r}) must be averaged, trained or None", argument="weights")
    if weights == "trained":
        return {}
    stored = stored_tensors(prefix)
    reader = tf.train.load_checkpoint(str(prefix))
    counts = {name: reader.get_tensor(name) for each in names.values() if (name := each.count) in stored and name}
    found = {
        name: each
        for name, each in names.items()
        # Until its first update, an average of Keras is 0.
        if each.average in stored and (each.count is None or counts.get(each.count, 1) > 0)
    }
    if weights == "averaged" and not found:
        raise RequestError(f"{prefix} has no averages of its variables; leave out weights=averaged", argument="weights")
    return found


def restore_averages(session: Any, prefix: Path, averages: Mapping[str, AverageName]) -> None:
    """Assigns averages to the variables of the default graph that have one, in one call of the session.

    Args:
        session: Session whose variables are restored.
        prefix: Prefix of the checkpoint's files.
        averages: Averages in the file by the name of the variable.
    """
    variables = {name: each for name, each in variables_by_name(session.graph).items() if name in averages}
    if not variables:
        return
    values = tf.raw_ops.RestoreV2(
        prefix=str(prefix),
        tensor_names=[averages[name].average for name in variables],
        shape_and_slices=[averages[name].slice_spec for name in variables],
        dtypes=[variable.dtype.base_dtype for variable in variables.values()],
    )
    session.run([variable.assign(value).op for variable, value in zip(variables.values(), values, strict=True)])


def refuse_unknown_averages(prefix: Path, weights: str | None) -> None:
    """Refuses to guess where a checkpoint seems to hold averages, and no graph says of which variables.

    Raises:
        RequestError: The choice is not ``trained``, and names in the file look like averages.
    """
    like = [name for name in stored_tensors(prefix) if name.endswith(("_average", "/ExponentialMovingAverage"))]
    if weights == "averaged" or (weights is None and like):
        about = f"seems to hold averages of variables ({min(like)}), and" if like else "names no averages:"
        raise RequestError(
            f"{prefix} {about} no .meta says of which variables; choose weights=trained (--weights trained)",
            argument="weights",
        )
