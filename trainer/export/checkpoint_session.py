"""A checkpoint opened again as a live session, without the training that wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.reader import Tensor, stored_tensors
from trainer.checkpoints.restoring.compatibility import differences
from trainer.data.arrays import Array
from trainer.errors import CheckpointError, RequestError, describe
from trainer.graph.data_source import DataSource
from trainer.graph.inference import build_inference
from trainer.graph.variables import variables_by_name
from trainer.graphdef.op_types import PLACEHOLDERS
from trainer.graphdef.signatures import EVAL, SERVING
from trainer.graphdef.traverse import model_placeholders, tensor_of
from trainer.model import Model, Tensors

v1 = tf.compat.v1

OPEN_AXIS = 2
"""The size that an open axis, such as the batch, has in a made-up example."""


@dataclass(frozen=True)
class CheckpointSession:
    """A session that holds the values of a checkpoint.

    Args:
        session: its graph is the default one while it is open.
        fed: the placeholders that may be fed, by name.
        outputs: names of what the model gives; () where nothing says so.
        example: a batch of the data, or None where there is no data.
    """

    session: Any
    fed: Tensors
    outputs: tuple[str, ...]
    example: Mapping[str, Array] | None = None


@contextlib.contextmanager
def session_from_meta(prefix: Path, meta_file: Path) -> Iterator[CheckpointSession]:
    """Imports the graph of a ``.meta`` and restores the checkpoint with the Saver that is in it.

    Importing and restoring run ops that the file names: open only what you trust.

    What may be fed and what the model gives is taken from the signatures in the ``.meta``. Files of
    a plain ``tf.compat.v1.train.Saver`` have none; then any placeholder may be fed.

    Args:
        prefix: of the checkpoint's files.
        meta_file: the ``.meta``, of this checkpoint or of another of the same graph.

    Raises:
        CheckpointError: graph or values cannot be read, or do not fit together.
    """
    meta = read_meta(meta_file)
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        try:
            saver = v1.train.import_meta_graph(meta, clear_devices=True)
        except (tf.errors.OpError, ValueError, KeyError) as error:
            raise CheckpointError(f"{meta_file} cannot be imported ({describe(error)})") from error
        if saver is None:
            raise CheckpointError(f"{meta_file} has no Saver and no variable, so there is nothing to restore")
        try:
            saver.restore(session, str(prefix))
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(f"{prefix} cannot be restored into {meta_file} ({describe(error)})") from error
        serving, evaluation = (meta.signature_def[key] for key in (SERVING, EVAL))
        fed = _tensors(graph, {**evaluation.inputs, **serving.inputs}) or _placeholders(graph)
        outputs = _tensors(graph, serving.outputs)
        yield CheckpointSession(session, {each.op.name: each for each in fed}, tuple(each.op.name for each in outputs))


def _tensors(graph: Any, infos: Mapping[str, Any]) -> list[Any]:
    """Returns the tensors of a signature, by name; what a stranger's signature names and is not there is left out."""
    nodes = {operation.name for operation in graph.get_operations()}
    names = [info.name for _, info in sorted(infos.items())]
    return [graph.get_tensor_by_name(name) for name in names if name.endswith(":0") and name[:-2] in nodes]


@contextlib.contextmanager
def session_from_code(prefix: Path, make_model: Callable[[], Model], source: DataSource) -> Iterator[CheckpointSession]:
    """Builds the inference part anew, as a run does, and restores the model's variables.

    Args:
        prefix: of the checkpoint's files.
        make_model: called while the graph is open.
        source: of the data that the model was trained on.

    Raises:
        RequestError: the model does not fit the checkpoint; the message is a table of all differences.
    """
    # Keras numbers its layers over all graphs of a process; the names must be those of the run.
    keras.utils.clear_session()
    with tf.Graph().as_default() as graph, contextlib.closing(v1.Session(graph=graph)) as session:
        v1.train.get_or_create_global_step()
        inference = build_inference(make_model(), source.inputs, source.labels)
        variables = variables_by_name(graph)
        _check_holds(prefix, variables)
        v1.train.Saver(variables).restore(session, str(prefix))
        fed = {**inference.inputs, **inference.labels}
        yield CheckpointSession(session, fed, tuple(inference.outputs), source.example)


def _check_holds(prefix: Path, variables: Mapping[str, Any]) -> None:
    stored = {name: tensor for name, tensor in stored_tensors(prefix).items() if name in variables}
    declared = {name: Tensor(v.dtype.base_dtype.name, tuple(v.shape.as_list())) for name, v in variables.items()}
    if found := differences(stored, declared):
        lines = "\n  ".join(found[:7])
        raise RequestError(f"{prefix} does not fit the model of the run's config:\n  {lines}")


def _placeholders(graph: Any) -> list[Any]:
    nodes = [operation.node_def for operation in graph.get_operations() if operation.type in PLACEHOLDERS]
    return [graph.get_tensor_by_name(tensor_of(node.name)) for node in model_placeholders(nodes)]


def made_up_example(inputs: Tensors, seed: int = 0) -> dict[str, Array]:
    """Returns a batch for placeholders where no data is at hand: normal numbers, and zeros for what counts.

    A zero is an index that every table has.

    Args:
        inputs: placeholders by name; an open axis gets the size 2.
        seed: of the numbers.

    Raises:
        RequestError: a placeholder has no known rank.
    """
    random = np.random.default_rng(seed)
    example = {}
    for name, tensor in inputs.items():
        if tensor.shape.rank is None:
            raise RequestError(
                f"the input {name!r} has no known shape, so no example can be made up; give one", argument="example"
            )
        shape = [OPEN_AXIS if size is None else size for size in tensor.shape.as_list()]
        dtype = tensor.dtype.as_numpy_dtype
        if tensor.dtype.is_floating or tensor.dtype.is_complex:
            example[name] = random.normal(size=shape).astype(dtype)
        else:
            example[name] = np.full(shape, "" if tensor.dtype == tf.string else 0, dtype)
    return example
