"""Where the weights of an export come from: the live session, or the best checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.callback import Context
from trainer.checkpoints.record import read_record
from trainer.data.arrays import Array
from trainer.errors import CheckpointError
from trainer.export.serving import ReadValue, run_outputs, values_in, values_of
from trainer.export.subgraph import Cut


@dataclass(frozen=True)
class Weights:
    """Weights and what is known of them.

    Args:
        read_value: gives a variable's value.
        expected: the outputs that the live session gives for the example; None where the weights
            are not those of the live session.
        number: completed epochs or the step, as the checkpoint is numbered; of the export's directory.
        facts: for a manifest: checkpoint, epoch, global_step.
    """

    read_value: ReadValue
    expected: list[Array] | None
    number: int
    facts: Mapping[str, Any]


def weights_for(which: str, context: Context, part: Cut, example: Mapping[str, Array]) -> Weights:
    """Returns where the weights come from.

    Args:
        which: ``last`` or ``best``.
        context: of the run, at its end.
        part: the inference part.
        example: a batch of the data.

    Raises:
        CheckpointError: the best one is asked for and no checkpoint has the metric.
    """
    if which == "best":
        best = context.run.facts.get("best_checkpoint")
        if not best:
            raise CheckpointError("which=best: no checkpoint has the metric that callbacks.checkpoint.monitor names")
        record = read_record(context.run.path / f"{best}.json")
        facts = {"checkpoint": best, "epoch": record.epoch, "global_step": record.global_step}
        return Weights(values_of(str(context.run.path / best)), None, record.number, facts)
    step = context.record.global_step
    saved = context.run.facts.get("newest_checkpoint") if context.run.facts.get("global_step") == step else None
    number = read_record(context.run.path / f"{saved}.json").number if saved else step
    facts = {"checkpoint": saved, "epoch": context.record.epoch, "global_step": step}
    expected = run_outputs(context.session, part, example)
    return Weights(values_in(context.session, part), expected, number, facts)
