"""Restoring of variables from other runs' checkpoints: all are compared and read before any is assigned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.checkpoints.reader import Tensor, TensorReader, stored_tensors
from trainer.checkpoints.restoring.compatibility import both_sides, declared_tensors, differences, pipeline_names
from trainer.checkpoints.restoring.transfer_plan import MAX_SHOWN, Transfer, plan_transfer
from trainer.errors import RequestError
from trainer.graph.optimizer_names import names_in_file
from trainer.graph.variables import variables_by_name
from trainer.warm_start import WarmStart

v1 = tf.compat.v1


def plan_warm_start(warm_start: WarmStart, prefix: Path, model_variables: Mapping[str, Any]) -> Transfer:
    """Returns the plan of a warm start; every tensor in it has been read.

    Args:
        warm_start: Settings of the warm start.
        prefix: Prefix of the checkpoint's files.
        model_variables: Variables of the model by name; slots and the global step are left out and start fresh.

    Raises:
        RequestError: The checkpoint does not fit the model.
        CheckpointError: The checkpoint cannot be read.

    Example:
        >>> import tempfile
        >>> prefix = Path(tempfile.mkdtemp(), "model-1")
        >>> with tf.Graph().as_default(), v1.Session() as session:
        ...     w = v1.get_variable("w", initializer=[1.0, 2.0])
        ...     session.run(w.initializer)
        ...     _ = v1.train.Saver().save(session, str(prefix), write_meta_graph=False)
        >>> with tf.Graph().as_default(), v1.Session() as session:
        ...     variables = {name: v1.get_variable(name, [2]) for name in ("w", "new")}
        ...     transfer = plan_warm_start(WarmStart(prefix), prefix, variables)
        ...     assign(transfer, session)
        ...     transfer.initialised, session.run(variables["w"]).tolist()
        (('new',), [1.0, 2.0])
    """
    transfer = plan_transfer(warm_start, prefix, stored_tensors(prefix), declared_tensors(model_variables))
    check_readable(transfer)
    return transfer


def plan_full_restore(prefix: Path, graph: Any, global_step: str) -> Transfer:
    """Returns the plan to restore all variables of a graph from a checkpoint without a commit record.

    Args:
        prefix: Prefix of the checkpoint's files.
        graph: Whole graph; its rollback variables are left out.
        global_step: Name of the global step. Its dtype in the file may be int32, as in old graphs.

    Raises:
        RequestError: Names, dtypes or shapes differ.
        CheckpointError: The checkpoint cannot be read.
    """
    stored, declared = both_sides(prefix, graph)
    if global_step in stored and stored[global_step].dtype == "int32":
        stored[global_step] = replace(stored[global_step], dtype=declared[global_step].dtype)
    if found := differences(stored, declared):
        raise RequestError(_refusal(prefix, found, stored, declared))
    pipelines = pipeline_names(graph)
    with_pipeline = bool(pipelines) and pipelines <= set(stored_tensors(prefix))
    names = names_in_file(stored_tensors(prefix), declared)
    loaded = {name: names.get(name, name) for name in declared}
    transfer = Transfer(prefix, loaded, tensors=stored, with_pipeline=with_pipeline)
    check_readable(transfer)
    return transfer


def _refusal(prefix: Path, found: list[str], stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> str:
    lines = "\n  ".join(found[:MAX_SHOWN])
    more = f"\n  and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
    same = sum(stored.get(name) == each for name, each in declared.items())
    return (
        f"{prefix} does not fit the graph ({same} of {len(declared)} variables match); nothing was restored:\n"
        f"  {lines}{more}\nwarm_start.path={str(prefix)!r} loads the variables that match, with fresh slots"
    )


def check_readable(transfer: Transfer) -> None:
    """Reads every tensor once and compares it with its CRC, before anything is assigned.

    Raises:
        CheckpointError: A tensor is damaged.
    """
    reader = TensorReader(transfer.prefix)
    for source in transfer.loaded.values():
        reader.value(source)


def restore_all(saver: Any, session: Any, prefix: Path) -> None:
    """Restores all that a Saver holds, also where the file has an optimizer's variables under another Keras's names.

    Args:
        saver: ``tf.compat.v1.train.Saver`` of the session's graph, which may be finalized.
        session: Session to restore into.
        prefix: Prefix of the checkpoint's files; ``check_fits`` must have accepted them.

    Raises:
        tf.errors.OpError: The files cannot be read.
        ValueError: There is no such checkpoint.
    """
    names = names_in_file(stored_tensors(prefix), variables_by_name(session.graph))
    if not names:
        saver.restore(session, str(prefix))
        return
    saver_def = saver.as_saver_def()
    file = session.graph.get_tensor_by_name(saver_def.filename_tensor_name)
    feeds: dict[Any, Any] = {file: str(prefix)}
    # The Saver's keys are constants in the graph, and a constant can be fed.
    for each in (op for op in file.consumers() if op.type == "RestoreV2"):
        keys = [key.decode() for key in tf.make_ndarray(each.inputs[1].op.get_attr("value")).flat]
        feeds[each.inputs[1]] = [names.get(key, key) for key in keys]
    session.run(saver_def.restore_op_name, feeds)


def assign(transfer: Transfer, session: Any) -> None:
    """Assigns the values of the checkpoint to the variables of a session's graph, one at a time.

    Nothing is added to the graph, so a run with a warm start has the same graph as any other.

    Raises:
        CheckpointError: A tensor can no longer be read.
    """
    reader, variables = TensorReader(transfer.prefix), variables_by_name(session.graph)
    for name, source in transfer.loaded.items():
        variable = variables[name]
        variable.load(np.asarray(reader.value(source), variable.dtype.base_dtype.as_numpy_dtype), session)
