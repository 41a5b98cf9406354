"""A TensorFlow session behind a predictor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Array
from trainer.errors import RequestError, describe
from trainer.predict.predictor import Predictor
from trainer.predict.tensor_info import TensorInfo

v1 = tf.compat.v1


@contextlib.contextmanager
def predictor_session() -> Iterator[Any]:
    """Opens a session over a graph of its own, the default one inside the block; closes it only on an error.

    Old graphs name devices that this machine may not have; their ops go where they can run.
    """
    with tf.Graph().as_default() as graph:
        session = v1.Session(graph=graph, config=v1.ConfigProto(allow_soft_placement=True))
        try:
            yield session
        except BaseException:
            session.close()
            raise
        graph.finalize()


def session_predictor(
    source: str, session: Any, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo]
) -> Predictor:
    """Returns a predictor that owns the session.

    Args:
        source: the file or directory, for messages.
        session: its variables have their values.
        inputs: by name; their tensors are in the session's graph.
        outputs: the same.
    """
    return Predictor(source, inputs, outputs, SessionBackend(source, session, inputs, outputs))


class SessionBackend:
    """Calls a session through ``make_callable``, one callable for each set of inputs that is given.

    Args:
        source: for messages.
        session: closed with the engine.
        inputs: by name.
        outputs: by name.
    """

    def __init__(
        self, source: str, session: Any, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo]
    ) -> None:
        self._source = source
        self._session = session
        self._inputs = inputs
        self._fetched = [info.tensor for info in outputs.values()]
        self._calls: dict[tuple[str, ...], Callable[..., Sequence[Any]]] = {}

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        """Returns the outputs.

        Raises:
            RequestError: the graph refuses the values.
        """
        names = tuple(fed)
        call = self._calls.get(names)
        if call is None:
            tensor = self._session.graph.get_tensor_by_name
            call = self._session.make_callable(
                [tensor(name) for name in self._fetched], [tensor(self._inputs[name].tensor) for name in names]
            )
            self._calls[names] = call
        try:
            return call(*fed.values())
        except (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
            given = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in fed.items())
            raise RequestError(f"{self._source} cannot be run on {given}: {describe(error)}") from error

    def close(self) -> None:
        """Closes the session."""
        self._calls.clear()
        self._session.close()


def tensor_info(tensor: Any, *, optional: bool = False) -> TensorInfo:
    """Returns a graph's tensor as people see it."""
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorInfo(tensor.name, tensor.dtype.base_dtype.name, shape, optional)
