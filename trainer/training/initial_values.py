"""What the graph of a run is filled with before its first step, compared with the graph beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.restoring.compatibility import check_fits
from trainer.checkpoints.restoring.restore import plan_full_restore, plan_warm_start
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.errors import RequestError
from trainer.graph.build import GraphContext
from trainer.graph.find_instances import find_instances
from trainer.training.job import Job
from trainer.trunks.trunk import Trunk

Facts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class InitialValues:
    """What a run begins with besides initial values and checkpoints of its own.

    Args:
        transfer: what it takes of a checkpoint of others, or None.
        trunks: of its model, as ``run.json`` has them.
    """

    transfer: Transfer | None = None
    trunks: Facts = ()

    def facts(self) -> dict[str, Any]:
        """Returns what ``run.json`` is to have besides the transfer."""
        return {"trunks": list(self.trunks)} if self.trunks else {}


def check_initial_values(job: Job, build: GraphContext) -> InitialValues:
    """Compares what a run begins with and its graph; assigns nothing.

    Raises:
        RequestError: they do not fit together.
        CheckpointError: a checkpoint cannot be read.
    """
    start, trunks = job.start, [trunk.facts() for trunk in find_instances(build.model, Trunk)]
    if start.record is not None:
        check_fits(start.store.path(start.record.name), build.graph)
        check_same_trunks(start.run.info().trunks, trunks)
        return InitialValues(None, trunks)
    if start.external is not None:
        return InitialValues(plan_full_restore(start.external, build.graph, build.global_step.op.name), trunks)
    if job.warm_start is None:
        return InitialValues(None, trunks)
    prefix = resolve_checkpoint(job.warm_start.path)
    return InitialValues(plan_warm_start(job.warm_start, prefix, build.model_variables), trunks)


def check_same_trunks(before: Facts, now: Facts) -> None:
    """Refuses to go on with another trunk: its constants are in no checkpoint.

    Args:
        before: the trunks of the run, as its ``run.json`` has them.
        now: those in the graph.

    Raises:
        RequestError: one has changed.
    """
    files = {trunk["prefix"]: trunk for trunk in now}
    for trunk in before:
        found = files.get(trunk["prefix"])
        if found is not None and found["sha256"] != trunk["sha256"]:
            raise RequestError(
                f"the trunk {found['file']} is not the one that this run began with, which was {trunk['file']}; "
                f"give model.trunk.path=FILE of that one and resume_changes=allow"
            )
