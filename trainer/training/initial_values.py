"""Initial values of a run (checkpoint, warm start, trunks, look-up tables), checked against the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.restoring.compatibility import check_fits, wanted_by
from trainer.checkpoints.restoring.restore import check_assignable, plan_full_restore, plan_warm_start
from trainer.checkpoints.restoring.transfer_plan import Transfer
from trainer.checkpoints.weight_files import weights_at
from trainer.errors import RequestError
from trainer.graph.build import GraphContext
from trainer.graph.ops.find_instances import find_instances
from trainer.graph.state.table_digests import table_digests
from trainer.training.job import Job
from trainer.trunks.trunk import Trunk

Infos = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class InitialValues:
    """Values that a run starts from, besides initial values of its own.

    Args:
        transfer: Variables that are loaded from another checkpoint, or None.
        trunks: Trunks of the model, as ``run.json`` describes them.
        tables: Look-up tables that the graph fills itself, as ``run.json`` describes them.
    """

    transfer: Transfer | None = None
    trunks: Infos = ()
    tables: Infos = ()


def check_initial_values(job: Job, build: GraphContext) -> InitialValues:
    """Compares the values that a run starts from with its graph; assigns nothing.

    Raises:
        RequestError: Values and graph do not fit together.
        CheckpointError: A checkpoint cannot be read.
    """
    start, trunks = job.start, [trunk.metadata() for trunk in find_instances(build.model, Trunk)]
    tables = table_digests(build.graph)
    if start.record is not None:
        check_fits(start.store.path(start.record.name), wanted_by(build.restorer), build.graph)
        check_same_trunks(start.run.info().trunks, trunks)
        check_same_tables(start.run.info().tables, tables)
        return InitialValues(None, trunks, tables)
    if start.external is not None:
        transfer = plan_full_restore(start.external, wanted_by(build.restorer), build.global_step)
        check_assignable(transfer, build.graph)
        return InitialValues(transfer, trunks, tables)
    if job.warm_start is None:
        return InitialValues(None, trunks, tables)
    weights = weights_at(job.warm_start.path)
    path = weights[1] if weights else resolve_checkpoint(job.warm_start.path).prefix
    transfer = plan_warm_start(job.warm_start, path, build.model_variables, build.model)
    return InitialValues(transfer, trunks, tables)


def check_same_trunks(before: Infos, now: Infos) -> None:
    """Refuses to continue with another trunk, whose constants are in no checkpoint.

    Args:
        before: Trunks of the run, as its ``run.json`` describes them.
        now: Trunks in the graph.

    Raises:
        RequestError: A trunk has changed.
    """
    files = {trunk["prefix"]: trunk for trunk in now}
    for trunk in before:
        found = files.get(trunk["prefix"])
        if found is not None and found["sha256"] != trunk["sha256"]:
            raise RequestError(
                f"the trunk {found['file']} is not the one that this run started with, {trunk['file']}; give the path "
                "of that one, and allow the change at the resume (resume_changes=allow)"
            )


def check_same_tables(before: Infos, now: Infos) -> None:
    """Refuses to continue with other entries in a look-up table: words would get other rows of what was trained.

    Args:
        before: Tables of the run, as its ``run.json`` describes them.
        now: Tables in the graph.

    Raises:
        RequestError: A table has other entries.

    Example:
        >>> words, others = ({"table": "words", "file": "v.txt", "sha256": each} for each in ("a", "b"))
        >>> check_same_tables([words], [others])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: the look-up table 'words' (v.txt) has other entries than when this run began, ...
    """
    entries = {table["table"]: table["sha256"] for table in before}
    for table in now:
        if entries.get(table["table"], table["sha256"]) != table["sha256"]:
            file = f" ({table['file']})" if table["file"] else ""
            raise RequestError(
                f"the look-up table {table['table']!r}{file} has other entries than when this run began, and rows that "
                "were trained would belong to other keys; put its entries back, or start a new run"
            )
