"""Predictor: named arrays in, named arrays out, over any backend; no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from trainer.checks import suggestion
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.predict.tensor_info import TensorInfo, convert_input


class Backend(Protocol):
    """Computation of the outputs, by a session or another runtime."""

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        """Returns the outputs in their order.

        Args:
            fed: Converted arrays by name, in the order of the inputs.
        """

    def close(self) -> None:
        """Frees its resources."""


class Predictor:
    """Model that can be called; each predictor has a separate graph and session.

    Values are checked before the model runs. Close it, or use it in a ``with`` block.

    Args:
        source: Path of the model, for messages.
        inputs: Inputs by name.
        outputs: Outputs by name.
        backend: Computation of the outputs; closed with the predictor.

    Example:
        >>> class Twice:
        ...     def run(self, fed): return [2 * fed["x"]]
        ...     def close(self): pass
        >>> info = TensorInfo("x:0", "float32", (None,))
        >>> with Predictor("twice", {"x": info}, {"y": info}, Twice()) as predictor:
        ...     predictor(x=[1.5, 2])
        {'y': array([3., 4.], dtype=float32)}
    """

    def __init__(
        self, source: str, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo], backend: Backend
    ) -> None:
        self.source = source
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self._backend: Backend | None = backend

    def __call__(self, /, **values: Any) -> dict[str, Array]:
        """Returns the outputs by name.

        Args:
            values: Arrays, numbers or lists by the names of the inputs.

        Raises:
            TypeError: An input is missing or unknown, or the type of a value does not match.
            ValueError: A shape does not match, a number would change, or the predictor is closed.
        """
        if self._backend is None:
            raise RequestError(f"the predictor of {self.source} is closed")
        results = self._backend.run(self._fed(values))
        # NumPy's own type of bytes would cut off zeros at the end of a scalar.
        arrays = [np.asarray(each, object if isinstance(each, bytes | str) else None) for each in results]
        return dict(zip(self.outputs, arrays, strict=True))

    def _fed(self, values: Mapping[str, Any]) -> dict[str, Array]:
        fed = {name: convert_input(name, values[name], info) for name, info in self.inputs.items() if name in values}
        if len(fed) == len(values) == len(self.inputs):
            return fed
        extra = next((name for name in values if name not in self.inputs), None)
        if extra is not None:
            raise TypeError(f"{extra!r} is not an input of {self.source}; {suggestion(extra, self.inputs)}")
        for name, info in self.inputs.items():
            if name not in fed and not info.optional:
                raise TypeError(f"the input {name!r} ({info}) of {self.source} is missing")
        return fed

    def close(self) -> None:
        """Frees graph and session; a second call does nothing."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        def described(infos: Mapping[str, TensorInfo]) -> str:
            return ", ".join(f"{name} {info}" for name, info in infos.items())

        return f"<Predictor of {self.source}: {described(self.inputs)} -> {described(self.outputs)}>"
