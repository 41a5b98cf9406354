"""Live session restored from a checkpoint, without the training that wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.checkpoints.contents import OPAQUE, Tensor, unmet
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.reading.reader import stored_tensors
from trainer.checkpoints.restoring.averages import refuse_unknown_averages, restore_averages, stored_averages
from trainer.checkpoints.restoring.compatibility import wanted_by
from trainer.checkpoints.restoring.restore import restore_all
from trainer.checkpoints.saver_in_meta import restored_tensors
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError, describe
from trainer.graph.data.data_source import DataSource
from trainer.graph.forward.model_parts import build_model_parts
from trainer.graph.ops.devices import building
from trainer.graph.ops.variables import key_of
from trainer.graph.optimizers.optimizer_names import names_in_file, under_names
from trainer.graph.state.keras_names import older_names
from trainer.graph.state.run_savers import RunSavers, make_saver
from trainer.graphdef.averages import average_names
from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.graphdef.safety import check_declared_sizes, forbidden_ops, refuse_forbidden
from trainer.graphdef.signatures import EVAL, SERVING
from trainer.graphdef.traverse import model_placeholders, node_of, tensor_of
from trainer.model import Model, Tensors

v1 = tf.compat.v1

OPEN_AXIS = 2
"""Size of an axis of unknown size, such as the batch, in a generated example."""


@dataclass(frozen=True)
class CheckpointSession:
    """Session with the values of a checkpoint.

    Args:
        session: Open session; its graph is the default one until it is closed.
        fed: Placeholders that may be fed, by name.
        outputs: Names of the model's output nodes; () if they are not known.
        example: Batch of the data by input; None without data.
        averaged: Whether variables have the values of their averages.
    """

    session: Any
    fed: Tensors
    outputs: tuple[str, ...]
    example: Mapping[str, Array] | None = None
    averaged: bool = False


@contextlib.contextmanager
def session_from_meta(
    prefix: Path, meta_file: Path, weights: str | None = None, trust: bool = False
) -> Iterator[CheckpointSession]:
    """Imports the graph of a ``.meta`` and restores the checkpoint with the Saver that is in it.

    Inputs and outputs come from the signatures in the ``.meta``. External checkpoints (plain
    ``tf.compat.v1.train.Saver``) have none; then any placeholder may be fed.

    Args:
        prefix: Prefix of the checkpoint's files.
        meta_file: ``.meta`` of this checkpoint, or of another one of the same graph.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        trust: Whether the ops that restore may do more than read the checkpoint.

    Raises:
        RequestError: The ops that restore do more than that.
        CheckpointError: Graph or values cannot be read, or do not match.
    """
    meta = read_meta(meta_file)
    check_declared_sizes(str(meta_file), meta.graph_def)
    if not trust:
        saver = meta.saver_def
        run, own = [saver.restore_op_name], [node_of(saver.filename_tensor_name)]
        refuse_forbidden(str(meta_file), forbidden_ops(meta.graph_def, run, own, whole=False))
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        try:
            saver = v1.train.import_meta_graph(meta, clear_devices=True)
        except (tf.errors.OpError, ValueError, KeyError) as error:
            raise CheckpointError(f"{meta_file} cannot be imported ({describe(error)})") from error
        if saver is None:
            raise CheckpointError(f"{meta_file} has no Saver and no variable, so there is nothing to restore")
        try:
            _without_pipelines(saver, meta, prefix).restore(session, str(prefix))
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(f"{prefix} cannot be restored into {meta_file} ({describe(error)})") from error
        averages = stored_averages(prefix, average_names(meta), weights)
        restore_averages(session, prefix, averages)
        serving, evaluation = (meta.signature_def[key] for key in (SERVING, EVAL))
        fed = _tensors(graph, {**evaluation.inputs, **serving.inputs}) or _placeholders(graph)
        outputs = _tensors(graph, serving.outputs)
        inputs, names = {each.op.name: each for each in fed}, tuple(each.op.name for each in outputs)
        yield CheckpointSession(session, inputs, names, averaged=bool(averages))


def _without_pipelines(saver: Any, meta: Any, prefix: Path) -> Any:
    """Returns the Saver of an imported graph, or one of its variables alone where it would start a data pipeline."""
    if all(each.entry.tensor.dtype not in OPAQUE for each in restored_tensors(meta)):
        return saver
    stored = stored_tensors(prefix)
    return make_saver([variable for variable in v1.global_variables() if key_of(variable) in stored])


def _tensors(graph: Any, infos: Mapping[str, Any]) -> list[Any]:
    """Returns the tensors of a signature; names in an external signature that the graph lacks are skipped."""
    nodes = {operation.name for operation in graph.get_operations()}
    names = [info.name for _, info in sorted(infos.items())]
    return [graph.get_tensor_by_name(name) for name in names if name.endswith(":0") and name[:-2] in nodes]


@contextlib.contextmanager
def session_from_code(
    prefix: Path,
    make_model: Callable[[], Model],
    source: DataSource,
    weights: str | None = None,
    meta_file: Path | None = None,
) -> Iterator[CheckpointSession]:
    """Builds the inference part from code, as a run does, and restores the model's variables.

    Args:
        prefix: Prefix of the checkpoint's files.
        make_model: Constructor of the model; called with the graph as the default one.
        source: Source of the data that the model was trained on.
        weights: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        meta_file: ``.meta`` that names the averages, or None.

    Raises:
        RequestError: The model does not match the checkpoint; the message lists up to seven differences.
    """
    # Keras numbers its layers over all graphs of a process; the names must be those of the run.
    keras.utils.clear_session(free_memory=False)
    with building(tf.Graph()) as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        v1.train.get_or_create_global_step()
        inference = build_model_parts(make_model, source.inputs, source.labels, source.structure).inference
        savers = RunSavers(with_rollback=False)
        savers.build()
        names = _check_holds(prefix, wanted_by(savers.saver), graph)
        restore_all(savers.saver, session, prefix)
        if meta_file is None:
            refuse_unknown_averages(prefix, weights)
        averages = stored_averages(prefix, average_names(read_meta(meta_file)) if meta_file else {}, weights)
        restore_averages(session, prefix, under_names(averages, names))
        fed = {**inference.inputs, **inference.labels}
        yield CheckpointSession(session, fed, tuple(inference.outputs), source.example, averaged=bool(averages))


def _check_holds(prefix: Path, wanted: Mapping[str, Tensor], graph: Any) -> dict[str, str]:
    """Returns the names in the file by the names in the graph, where they differ."""
    stored = stored_tensors(prefix)
    names = names_in_file(stored, wanted, older_names(graph))
    if found := unmet(under_names(stored, names), wanted):
        lines = "\n  ".join(found[:7])
        raise RequestError(f"{prefix} does not match the model of the run's config:\n  {lines}")
    return names


def _placeholders(graph: Any) -> list[Any]:
    nodes = [operation.node_def for operation in graph.get_operations() if operation.type in PLACEHOLDERS]
    return [graph.get_tensor_by_name(tensor_of(node.name)) for node in model_placeholders(nodes)]


def generated_example(
    inputs: Tensors, seed: int = 0, words: Sequence[Any] = ("",), flags: Mapping[str, float | bool] | None = None
) -> dict[str, Array]:
    """Returns a generated batch for placeholders: normal numbers for floats, zeros for integers, words for strings.

    Zero is a valid index into every table.

    Args:
        inputs: Placeholders by name; an axis of unknown size gets the size 2.
        seed: Seed of the numbers.
        words: Strings to take, such as keys of the model's look-up tables.
        flags: Values of inputs that only set how the net computes, by name.

    Raises:
        RequestError: A placeholder has no known rank.
    """
    random = np.random.default_rng(seed)
    example = {}
    for name, tensor in inputs.items():
        if flags and name in flags:
            example[name] = np.asarray(flags[name], tensor.dtype.as_numpy_dtype)
            continue
        if tensor.shape.rank is None:
            raise RequestError(
                f"the input {name!r} has no known shape, so no example can be generated; give one", argument="example"
            )
        shape = [OPEN_AXIS if size is None else size for size in tensor.shape.as_list()]
        dtype = tensor.dtype.as_numpy_dtype
        if tensor.dtype.is_floating or tensor.dtype.is_complex:
            example[name] = random.normal(size=shape).astype(dtype)
        elif tensor.dtype == tf.string:
            example[name] = np.resize(np.asarray(words, object), shape)
        else:
            example[name] = np.zeros(shape, dtype)
    return example
