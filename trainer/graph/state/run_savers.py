"""Savers of a run, and the tensors that a Saver writes, read from the Saver itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

# The class has no public name; a Saver needs it to save anything but a variable.
from tensorflow.python.training.saving.saveable_object import SaveableObject

from trainer.errors import RequestError, describe
from trainer.graphdef.op_types import ROLLBACK_SCOPE

v1 = tf.compat.v1

REFERENCE_VARIABLES = ("Variable", "VariableV2")
"""Ops of reference variables, which an update changes in place."""


@dataclass(frozen=True)
class SavedTensor:
    """Tensor that a Saver writes.

    Args:
        key: Name in the file.
        slice_spec: Slice of the whole tensor of that name, '' for the whole.
        tensor: Tensor in the graph, of any shape and dtype.
    """

    key: str
    slice_spec: str
    tensor: Any


def saved_tensors(saver: Any) -> tuple[SavedTensor, ...]:
    """Returns the tensors that a Saver of the default graph writes, as its save op lists them.

    The op is the one place that knows the keys and slices of every kind: parts of partitioned variables,
    tables, pipelines, and saveables of a person's own.

    Example:
        >>> with tf.Graph().as_default():
        ...     halves = v1.get_variable("table", [4, 1], partitioner=v1.fixed_size_partitioner(2))
        ...     [(each.key, each.slice_spec) for each in saved_tensors(v1.train.Saver())]
        [('table', '4 1 0,2:0,1'), ('table', '4 1 2,2:0,1')]
    """
    graph = v1.get_default_graph()
    (save,) = graph.get_tensor_by_name(saver.saver_def.save_tensor_name).op.control_inputs
    keys, slices = (tf.make_ndarray(source.op.get_attr("value")).reshape(-1) for source in save.inputs[1:3])
    return tuple(
        SavedTensor(key.decode(), spec.decode(), tensor)
        for key, spec, tensor in zip(keys, slices, save.inputs[3:], strict=True)
    )


def is_variable(saved: SavedTensor) -> bool:
    """Returns whether a saved tensor is the value of a variable, and not of a table, a pipeline or the like."""
    return origin_of(saved.tensor).op.type in ("ReadVariableOp", *REFERENCE_VARIABLES)


def origin_of(tensor: Any) -> Any:
    """Returns the tensor that a tensor is a plain copy of."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


class LateSaver(tf.compat.v1.train.Saver):  # type: ignore[misc] # TensorFlow has no types
    """Saver of all that the graph holds when it is built; callbacks can take it before they add to the graph.

    It never removes a file: retention is decided from the commit records.

    Args:
        without: Prefix of the names of variables that are left out, '' for none.
    """

    def __init__(self, without: str = "") -> None:
        super().__init__(defer_build=True, max_to_keep=0, save_relative_paths=True)
        self._without = without

    def build(self) -> None:
        """Adds the ops to the default graph; later calls do nothing."""
        if self.saver_def is None:
            graph = v1.get_default_graph()
            variables = graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
            chosen = [v for v in variables if not (self._without and v.op.name.startswith(self._without))]
            self._var_list = [*chosen, *saveables_of(graph)]
        super().build()


class RunSavers:
    """Savers of a run, built when the first callback that saves asks for it, or after all callbacks.

    Args:
        with_rollback: Whether the graph has variables for rollbacks, which a resume takes from ``run.json``.

    Example:
        >>> with tf.Graph().as_default() as graph:
        ...     savers = RunSavers(with_rollback=False)
        ...     w = v1.get_variable("w", [])
        ...     savers.build()
        ...     late = v1.get_variable("late", [])
        ...     [each.key for each in saved_tensors(savers.saver)], savers.late(graph)
        (['w'], ['late'])
    """

    def __init__(self, *, with_rollback: bool) -> None:
        self.saver = LateSaver()
        self.restorer = LateSaver(without=ROLLBACK_SCOPE) if with_rollback else self.saver
        self._covered: set[str] | None = None

    def build(self) -> None:
        """Adds the Savers' ops to the default graph, for all that it holds; later calls do nothing.

        Raises:
            RequestError: Two things would have one name in the file, or something cannot be saved.
        """
        if self._covered is not None:
            return
        graph = v1.get_default_graph()
        # Of two saveables of one name, a Saver keeps one without a word.
        _refuse_shared(saveable.name for saveable in saveables_of(graph))
        try:
            self.saver.build()
            self.restorer.build()
        except (ValueError, TypeError) as error:
            raise RequestError(f"a checkpoint of this graph cannot be written: {describe(error)}") from error
        _refuse_shared(each.key for each in saved_tensors(self.saver) if not each.slice_spec)
        self._covered = set(_names(graph))

    def late(self, graph: Any) -> list[str]:
        """Returns the names of variables and saveables that came after the Savers, so no checkpoint holds them."""
        return [] if self._covered is None else [name for name in _names(graph) if name not in self._covered]


class PipelinePosition(SaveableObject):  # type: ignore[misc] # TensorFlow has no types
    """Saveable object of the position of a ``tf.data`` iterator, in a graph of its own too.

    An iterator takes a position only once it is initialised, which a plain
    ``import_meta_graph(...).restore(...)`` does not know: the restore does it.

    Args:
        iterator: Initializable iterator.
    """

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        # State outside the iterator is said by name at the start; TensorFlow would refuse to save the rest.
        self._saveable = tf.data.experimental.make_saveable_from_iterator(iterator, external_state_policy="ignore")
        super().__init__(self._saveable.op, self._saveable.specs, self._saveable.name)

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Any) -> Any:
        """Returns the op that initialises the iterator and then sets its position."""
        with tf.control_dependencies([self._iterator.initializer]):
            return self._saveable.restore(restored_tensors, restored_shapes)


def make_saver(saved: Mapping[str, Any] | Sequence[Any]) -> Any:
    """Returns a ``Saver`` that never removes a file, for chosen variables (or lists of parts) by key, or saveables."""
    return v1.train.Saver(saved, max_to_keep=0, save_relative_paths=True)


def saveables_of(graph: Any) -> list[Any]:
    """Returns the saveable objects of a graph that are no variables: tables, pipelines and a person's own."""
    found = graph.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS)
    return list({id(saveable): saveable for saveable in found}.values())


def _names(graph: Any) -> list[str]:
    variables = graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
    return [*(variable.op.name for variable in variables), *(each.name for each in saveables_of(graph))]


def _refuse_shared(names: Iterable[str]) -> None:
    shared = [name for name, count in Counter(names).items() if count > 1]
    if shared:
        raise RequestError(
            f"two saved objects have the name {shared[0]!r} in a checkpoint, which can hold one of them; give each "
            "table or saveable a name of its own (name=...)"
        )
