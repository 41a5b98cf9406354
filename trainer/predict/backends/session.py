"""TensorFlow session behind a predictor."""

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

MAX_REASON = 500
"""Max characters of TensorFlow's reason in a message; it may hold a whole tensor."""


@contextlib.contextmanager
def predictor_session() -> Iterator[Any]:
    """Opens a session of a new graph, which is the default one in the block; closes it only on an error.

    Soft placement: old graphs name devices that this machine may not have.
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
        source: Path of the model, for messages.
        session: Session with restored variables.
        inputs: Inputs by name; their tensors are in the session's graph.
        outputs: Outputs by name; their tensors are in the session's graph.
    """
    return Predictor(source, inputs, outputs, SessionBackend(source, session, inputs, outputs))


class SessionBackend:
    """Backend that calls a session through ``make_callable``, one callable for each set of given inputs.

    Args:
        source: Path of the model, for messages.
        session: Session with restored variables; closed with the backend.
        inputs: Inputs by name.
        outputs: Outputs by name.
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
            RequestError: The graph cannot be run on the values.
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
        except (tf.errors.OpError, ValueError) as error:
            given = ", ".join(f"{name} {value.dtype} {list(value.shape)}" for name, value in fed.items())
            reason = " ".join(describe(error).split())[:MAX_REASON]
            raise RequestError(f"{self._source} cannot be run on {given}: {reason}") from error

    def close(self) -> None:
        """Closes the session."""
        self._calls.clear()
        self._session.close()


def tensor_info(tensor: Any, *, optional: bool = False) -> TensorInfo:
    """Returns the TensorInfo of a tensor of a graph."""
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorInfo(tensor.name, tensor.dtype.base_dtype.name, shape, optional)
