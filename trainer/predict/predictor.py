"""Named arrays in, named arrays out, whatever computes in between; no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from trainer.checks import suggestion
from trainer.data.arrays import Array
from trainer.errors import RequestError
from trainer.predict.tensor_info import TensorInfo, convert_input


class Backend(Protocol):
    """What computes the outputs."""

    def run(self, fed: Mapping[str, Array]) -> Sequence[Any]:
        """Returns the outputs in their order; the arrays fit and stand in the order of the inputs."""

    def close(self) -> None:
        """Frees what it holds."""


class Predictor:
    """A model that is ready to be called; each has a graph and session of its own.

    Values are checked before anything runs. Close it, or use it in a ``with`` block.

    Args:
        source: the file or directory, for messages.
        inputs: by name.
        outputs: by name.
        engine: computes.

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
        self, source: str, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo], engine: Backend
    ) -> None:
        self.source = source
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self._engine: Backend | None = engine

    def __call__(self, /, **values: Any) -> dict[str, Array]:
        """Returns the outputs by name.

        Args:
            values: arrays, numbers or lists by the names of the inputs.

        Raises:
            TypeError: an input is missing or unknown, or a value is of a type that does not fit.
            ValueError: a shape or a number does not fit, or the predictor is closed.
        """
        if self._engine is None:
            raise RequestError(f"the predictor of {self.source} is closed")
        results = self._engine.run(self._fed(values))
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}

    def _fed(self, values: Mapping[str, Any]) -> dict[str, Array]:
        fed = {name: convert_input(name, values[name], info) for name, info in self.inputs.items() if name in values}
        if len(fed) == len(values) == len(self.inputs):
            return fed
        extra = next((name for name in values if name not in self.inputs), None)
        if extra is not None:
            raise TypeError(f"{extra!r} is no input of {self.source}; {suggestion(extra, self.inputs)}")
        for name, info in self.inputs.items():
            if name not in fed and not info.optional:
                raise TypeError(f"the input {name!r} ({info}) of {self.source} is missing")
        return fed

    def close(self) -> None:
        """Frees graph and session; closing twice does nothing."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        def described(infos: Mapping[str, TensorInfo]) -> str:
            return ", ".join(f"{name} {info}" for name, info in infos.items())

        return f"<Predictor of {self.source}: {described(self.inputs)} -> {described(self.outputs)}>"
