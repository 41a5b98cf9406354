"""Weights of an export, from the live session or from the best checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.callback import Context
from trainer.checkpoints.restoring.averages import stored_averages
from trainer.data.arrays import Array
from trainer.errors import CheckpointError
from trainer.export.serving import ReadValues, run_outputs, values_in, values_of
from trainer.export.subgraph import InferenceSubgraph
from trainer.graph.optimizers.averages import Averages
from trainer.state import RunState, SavedCheckpoint


@dataclass(frozen=True)
class Weights:
    """Weights and their origin.

    Args:
        read_values: Function that returns the values of the variables by name.
        expected: Outputs of the live session for the example; None if the weights come from a checkpoint.
        number: Number of the checkpoint (completed epochs or the step), which names the export's directory.
        metadata: Entries of a manifest: checkpoint, epoch, global_step.
    """

    read_values: ReadValues
    expected: list[Array] | None
    number: int
    metadata: Mapping[str, Any]


def weights_for(
    which: str,
    context: Context,
    part: InferenceSubgraph,
    example: Mapping[str, Array],
    averages: Averages | None = None,
) -> Weights:
    """Returns the weights of an export.

    Args:
        which: ``last`` or ``best``; ``last`` is the best too where a callback restores it (``exports_best``).
        context: Context of the run, at its end.
        part: Inference part.
        example: Batch of the data by input.
        averages: Averages to export in the place of the trained variables, or None.

    Raises:
        CheckpointError: ``which`` is ``best`` and no checkpoint has the metric.
    """
    state, saved = context.record, context.checkpoints
    if which == "best" or context.exports_best:
        if saved.best is None:
            raise CheckpointError("which='best' or restore_best: no checkpoint has the metric that its saver monitors")
        best = saved.path(saved.best)
        prefix = context.run.path / best
        instead = stored_averages(prefix, averages.names, None) if averages else {}
        read_values = values_of(str(prefix), part, context.session, instead)
        return Weights(read_values, None, saved.best.number, _source(best, saved.best, averages))
    newest = saved.newest if saved.newest and saved.newest.global_step == state.global_step else None
    number = newest.number if newest else state.global_step
    path = saved.path(newest) if newest else None
    with averages.in_place(context.session) if averages else contextlib.nullcontext():
        expected = run_outputs(context.session, part, example)
    values = values_in(context.session, part, averages.values if averages else {})
    return Weights(values, expected, number, _source(path, state, averages))


def _source(checkpoint: str | None, state: RunState | SavedCheckpoint, averages: Averages | None) -> dict[str, Any]:
    weights = {"weights": "averaged"} if averages else {}
    return {"checkpoint": checkpoint, "epoch": state.epoch, "global_step": state.global_step, **weights}
