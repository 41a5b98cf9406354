"""Variables of a function of graph mode: made by its first calls, and found again by all others."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.forward.isolated_graph import IsolatedGraph, lifted

v1 = tf.compat.v1

STORES = (("__variable_store",), ("__varscope",))
"""Collections in which ``get_variable`` and ``variable_scope`` keep what they know; they have no public names."""


class SharedVariables:
    """Variables of all calls of a function, each of which makes them as if it were alone in a new graph.

    A variable is found again by the name that a call gives it, the n-th of a name by its place among those.

    Args:
        function: Name of the function, for messages.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._made: dict[tuple[str, int], Any] = {}
        self._graph = v1.get_default_graph()
        self.trained: Collection[str] | None = None
        """Names of the variables that calls find trainable; None for all that are made so."""
        self.step = v1.train.get_or_create_global_step()
        """Step of the trainer, which the calls find as their global step."""
        self.has_all_trainable = False
        """Whether a call that makes another trainable variable is refused."""
        self.is_complete = False
        """Whether a call that makes another variable is refused."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the variables that were made so far."""
        return frozenset(variable.op.name for variable in self._made.values())

    def collections(self) -> dict[str, list[Any]]:
        """Returns the collections that a call finds: those of a graph with nothing but the trainer's step."""
        return {v1.GraphKeys.GLOBAL_STEP: [self.step], v1.GraphKeys.GLOBAL_VARIABLES: [self.step]}

    @contextlib.contextmanager
    def _new_scopes(self, call: IsolatedGraph) -> Iterator[None]:
        """Lets scopes and ``get_variable`` start anew, also where the call leaves its graph to make a variable."""
        before = {key: self._graph._collections.pop(key, None) for key in STORES}
        for key in STORES:
            self._graph._collections[key] = call._collections[key] = []
        try:
            yield
        finally:
            for key, collection in before.items():
                del self._graph._collections[key]
                if collection is not None:
                    self._graph._collections[key] = collection

    @contextlib.contextmanager
    def shared(self, call: IsolatedGraph) -> Iterator[None]:
        """Gives the variables that are made in the block, in the graph of a call, those of the calls before.

        Raises:
            RequestError: The call makes variables in another way, or others than the calls before.
        """
        known = {variable.ref() for variable in self._graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}
        found: Counter[str] = Counter()

        def make(next_creator: Callable[..., Any], **given: Any) -> Any:
            scope, name = v1.get_default_graph().get_name_scope(), given.get("name") or "Variable"
            full = f"{scope}/{name}" if scope else name
            key = full, found[full]
            found[full] += 1
            if key not in self._made:
                if self.is_complete or (self.has_all_trainable and given.get("trainable") is not False):
                    raise self._another(full)
                self._made[key] = _made_outside(call, full, next_creator, given)
            variable = self._made[key]
            self._check_shape(full, variable, given.get("shape"))
            self._collect(call, variable, given)
            return variable

        with self._new_scopes(call), self._graph._variable_creator_scope(make), call._variable_creator_scope(make):
            yield
        known |= {variable.ref() for variable in self._made.values()}
        present = self._graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
        if others := [each.op.name for each in present if each.ref() not in known]:
            raise RequestError(
                f"{self._function} makes variables that its next call cannot find again ({', '.join(others[:3])}): "
                "make them with tf.compat.v1.get_variable or tf.Variable; a Keras layer belongs into a class of your "
                "own, which makes it once in its constructor"
            )

    def _collect(self, call: IsolatedGraph, variable: Any, given: dict[str, Any]) -> None:
        """Adds a variable to the collections of the call."""
        keys = list(given.get("collections") or [v1.GraphKeys.GLOBAL_VARIABLES])
        if variable.trainable:
            keys.append(v1.GraphKeys.TRAINABLE_VARIABLES)
        if self.trained is not None and variable.op.name not in self.trained:
            keys = [key for key in keys if key != v1.GraphKeys.TRAINABLE_VARIABLES]
        for key in dict.fromkeys(keys):
            call.add_to_collection(key, variable)

    def _check_shape(self, name: str, variable: Any, shape: Any) -> None:
        if shape is not None and not tf.TensorShape(shape).is_compatible_with(variable.shape):
            raise RequestError(
                f"{self._function} makes the variable {name!r} with shape {tf.TensorShape(shape)}, and a call before "
                f"made it with {variable.shape}; give the two different names"
            )

    def _another(self, name: str) -> RequestError:
        return RequestError(
            f"{self._function} makes another variable {name!r} each time it is called: its variables must have the "
            "same names in each call, as those of get_variable in scopes of fixed names; a Keras layer belongs into a "
            "class of your own, which makes it once in its constructor"
        )


def _made_outside(call: IsolatedGraph, name: str, create: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Makes a variable in the graph of the run, as a resource variable, which a ``tf.function`` can update."""
    value = given.get("initial_value")
    given = {**given, "use_resource": True}
    if isinstance(value, tf.Tensor) and value.graph is call:
        given["initial_value"] = lifted(call, value, name)
    with tf.init_scope():
        return create(**given)
