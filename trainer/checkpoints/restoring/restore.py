"""Restoring of variables from other runs' checkpoints: all are compared and read before any is assigned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.contents import OPAQUE, Tensor, differences, unmet
from trainer.checkpoints.reading.reader import TensorReader, stored_tensors
from trainer.checkpoints.restoring.compatibility import declared_tensors, without_rollback
from trainer.checkpoints.restoring.transfer_plan import MAX_SHOWN, RANDOM_STATE, Transfer, plan_transfer
from trainer.checkpoints.restoring.weight_names import names_of_weights
from trainer.checkpoints.restoring.weight_readers import open_weights
from trainer.errors import RequestError
from trainer.graph.ops.variables import load_values, own_part, variables_by_key, variables_by_name
from trainer.graph.optimizers.optimizer_names import names_in_file, under_names
from trainer.graph.state.keras_names import older_names, older_names_in_file
from trainer.graph.state.run_savers import saved_tensors
from trainer.warm_start import WarmStart

v1 = tf.compat.v1


def plan_warm_start(
    warm_start: WarmStart, prefix: Path, model_variables: Mapping[str, Any], model: Any = None
) -> Transfer:
    """Returns the plan of a warm start; every tensor in it has been read.

    Args:
        warm_start: Settings of the warm start.
        prefix: Prefix of the checkpoint's files, or another file of weights.
        model_variables: Variables of the model by name; slots and the global step are left out and start fresh.
        model: Model, which tells what a file of Keras holds.

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
    reader, declared = open_weights(prefix, model), declared_tensors(model_variables.values())
    stored = reader.tensors
    names: Mapping[str, str] = {}
    if model_variables and not isinstance(warm_start.variables, Mapping):
        if isinstance(reader, TensorReader):
            older = older_names(next(iter(model_variables.values())).graph)
            names = older_names_in_file(stored, declared, older)
        else:
            names = _counted_otherwise(stored, declared)
    transfer = plan_transfer(warm_start, prefix, under_names(stored, names), declared)
    loaded = {name: names.get(each, each) for name, each in transfer.loaded.items()}
    transfer = replace(transfer, loaded=loaded, reader=reader)
    check_readable(transfer)
    return transfer


def _counted_otherwise(stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> dict[str, str]:
    """Returns the names in a file of layers that Keras has counted on; {} if they are not all there."""
    wanted = [name for name in declared if not name.endswith(RANDOM_STATE)]
    names = names_of_weights(wanted, stored)
    return {name: each for name, each in names.items() if name != each} if len(names) == len(wanted) else {}


def plan_full_restore(prefix: Path, wanted: Mapping[str, Tensor], step: Any) -> Transfer:
    """Returns the plan to restore all that a graph saves from a checkpoint without a commit record.

    Positions of data pipelines may be missing: the data then starts from its beginning.

    Args:
        prefix: Prefix of the checkpoint's files.
        wanted: Tensors that the graph's Saver restores, by name.
        step: Variable of the global step. Its dtype in the file may be int32, as in old graphs.

    Raises:
        RequestError: Names, dtypes or shapes differ.
        CheckpointError: The checkpoint cannot be read.
    """
    wanted, found = without_rollback(wanted), without_rollback(stored_tensors(prefix))
    names, global_step = names_in_file(found, wanted, older_names(step.graph)), step.op.name
    stored = under_names(found, names)
    by_saver = not unmet(stored, wanted)
    pipelines = {name for name, tensor in wanted.items() if tensor.dtype in OPAQUE}
    declared = {name: tensor for name, tensor in wanted.items() if name not in pipelines or name in stored}
    if global_step in stored and stored[global_step].dtype == "int32":
        stored[global_step] = replace(stored[global_step], dtype=declared[global_step].dtype)
    if lines := differences(stored, declared):
        raise RequestError(_refusal(prefix, lines, stored, declared))
    loaded = {name: names.get(name, name) for name in declared if name not in pipelines}
    transfer = Transfer(prefix, loaded, tensors=stored, by_saver=by_saver)
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
    reader = transfer.reader or TensorReader(transfer.prefix)
    for source in transfer.loaded.values():
        reader.value(source)


def restore_all(saver: Any, session: Any, prefix: Path) -> None:
    """Restores all that a Saver holds, also where the file has an optimizer's variables under another Keras's names.

    Args:
        saver: ``tf.compat.v1.train.Saver`` of the session's graph, the default one, which may be finalized.
        session: Session to restore into.
        prefix: Prefix of the checkpoint's files; ``check_fits`` must have accepted them.

    Raises:
        tf.errors.OpError: The files cannot be read.
        ValueError: There is no such checkpoint.
    """
    names = names_in_file(
        stored_tensors(prefix), (each.key for each in saved_tensors(saver)), older_names(session.graph)
    )
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


def check_assignable(transfer: Transfer, graph: Any) -> None:
    """Checks that all that a plan loads are variables: only a Saver can restore tables and the like.

    Raises:
        RequestError: Something else would have to be loaded without the Saver.
    """
    variables = variables_by_key(variables_by_name(graph).values())
    if not transfer.by_saver and (others := sorted(set(transfer.loaded) - set(variables))):
        raise RequestError(
            f"{transfer.prefix} holds all variables of the graph but not all that its Saver restores, so "
            f"{', '.join(others[:3])} cannot be restored from it (no variable); data.save_position=false leaves out "
            "the position of the data"
        )


def assign(transfer: Transfer, session: Any) -> None:
    """Assigns the values of the checkpoint to the variables of a session's graph.

    Nothing is added to the graph, so a run with a warm start has the same graph as any other.

    Raises:
        CheckpointError: A tensor can no longer be read.
    """
    reader = transfer.reader or TensorReader(transfer.prefix)
    variables = variables_by_key(variables_by_name(session.graph).values())

    def values() -> Iterator[tuple[Any, Any]]:
        for name, source in transfer.loaded.items():
            whole = reader.value(source)
            yield from ((variable, own_part(whole, variable)) for variable in variables[name])

    load_values(session, values())
