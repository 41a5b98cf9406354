"""Trunk: a frozen ``.pb`` as part of a new model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.checks import check_bool, check_file_name, check_names, suggestion
from trainer.errors import RequestError, describe
from trainer.files import local_path
from trainer.graph.forward.model_calls import described
from trainer.model import Tensors
from trainer.trunks.trunk_file import (
    ARGUMENT,
    CONSTANTS,
    INPUT_MAP,
    OUTPUTS,
    PATH,
    TRAINABLE,
    TrunkFile,
    find_pb,
    read_trunk,
    value_of,
    without,
)

v1 = tf.compat.v1

PREFIX = f"{ARGUMENT}.prefix"

SMALL_BYTES = 1024
"""Maximum size of a constant that stays in each call's subgraph: shapes and axes must remain constants."""


class Trunk:
    """Pretrained frozen graph (backbone) inside a model.

    It computes the same in training: no dropout, and normalisation by its stored averages.

    Call ``build`` in the model's constructor, then the trunk itself. In the inference part its nodes
    have the prefix and their names in the file (``trunk/features``). Large constants are in the graph
    once, independent of the number of calls.

    Args:
        path: Path of the ``.pb``, of a run with one, or of a directory of runs (for the newest).
        outputs: Names of the output nodes; ``op:0`` is taken as ``op``.
        input_map: Name of a placeholder in the file to name of an input of the data; None if they
            are the same. A placeholder with a default may be omitted.
        prefix: Scope of its nodes.
        trainable: Names or patterns of constants to turn into variables, such as ``["*/kernel"]``.
            The averages of a normalisation are constants too; leave them out.
        trust: Whether the file may do more than compute, such as write files.
        constants: Values of placeholders by name, such as ``{"keep_prob": 0.9}``. Flags that are neither given nor
            mapped have the value of a prediction.

    Raises:
        TypeError, ValueError: A value has the wrong type or form.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tf.Graph().as_default() as graph:
        ...     x = v1.placeholder(tf.float32, [None, 2], name="x")
        ...     _ = tf.identity(x @ tf.constant([[1.0], [2.0]], name="kernel"), name="op")
        >>> file = Path(tempfile.mkdtemp(), "model.pb")
        >>> _ = file.write_bytes(graph.as_graph_def().SerializeToString())
        >>> with tf.Graph().as_default():
        ...     trunk = Trunk(path=str(file), outputs=["op"], trainable=["kernel"])
        ...     trunk.build()
        ...     op = trunk({"x": v1.placeholder(tf.float32, [None, 2], name="x")})["op"]
        ...     op.op.name, [variable.op.name for variable in v1.trainable_variables()]
        ('trunk/op', ['trunk/kernel'])
    """

    def __init__(
        self,
        *,
        path: str,
        outputs: Sequence[str],
        input_map: Mapping[str, str] | None = None,
        prefix: str = "trunk",
        trainable: Sequence[str] = (),
        trust: bool = False,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(path, str):
            raise TypeError(f"{PATH} ({path!r}) must be the path of a frozen .pb")
        self._path = local_path(path, PATH)
        self._outputs = check_names(OUTPUTS, outputs)
        if not self._outputs:
            raise RequestError(f"{OUTPUTS} is empty; name the output nodes", argument=OUTPUTS)
        if input_map is not None and not isinstance(input_map, Mapping):
            raise TypeError(f"{INPUT_MAP} ({input_map!r}) must map a placeholder of the file to an input")
        self._input_map = input_map
        self.prefix = check_file_name(PREFIX, prefix)
        self._patterns = check_names(TRAINABLE, trainable)
        if constants is not None and not isinstance(constants, Mapping):
            raise TypeError(f"{CONSTANTS} ({constants!r}) must map placeholders of the file to values")
        self._given = constants
        self._trust = check_bool(f"{ARGUMENT}.trust", trust)

    def build(self) -> None:
        """Reads the file and adds its large constants and its variables to the default graph.

        Raises:
            RequestError: There is no frozen graph, it lacks a node, or the graph already has the prefix.
        """
        self.file: TrunkFile = read_trunk(
            find_pb(self._path), self._outputs, self._trust, self._given, list(self._input_map or ())
        )
        self.inputs = _mapped(self.file, self._input_map)
        scopes = {operation.name.partition("/")[0] for operation in v1.get_default_graph().get_operations()}
        if self.prefix in scopes:
            raise RequestError(
                f"{PREFIX} ({self.prefix!r}) is already a scope of the graph; choose another", argument=PREFIX
            )
        if self.file.has_old_loops and self._patterns:
            raise RequestError(
                f"{TRAINABLE}: {self.file.file} has loops of TensorFlow 1, through which no gradient goes; leave it",
                argument=TRAINABLE,
            )
        nodes = self.file.constants()
        self.variables = {name: self._variable(nodes[name]) for name in self.file.former_variables(self._patterns)}
        large = {name: node for name, node in nodes.items() if name not in self.variables and _is_large(node)}
        self._constants = self._place(large)
        gone = {*self.inputs, *self.variables, *large}
        self._rest = without(self.file.part.graph_def, gone, set(self.file.inputs()) - set(self.inputs))

    def _variable(self, node: Any) -> Any:
        return v1.get_variable(f"{self.prefix}/{node.name}", initializer=value_of(node), use_resource=True)

    def _place(self, nodes: Mapping[str, Any]) -> dict[str, Any]:
        graph_def = v1.GraphDef(versions=self.file.part.graph_def.versions, node=nodes.values())
        tensors = tf.import_graph_def(
            without(graph_def, set()), return_elements=[f"{name}:0" for name in nodes], name=f"{self.prefix}/"
        )
        return dict(zip(nodes, tensors, strict=True))

    def __call__(self, inputs: Tensors) -> dict[str, Any]:
        """Returns the outputs by their names in the file.

        Args:
            inputs: Inputs of the model by name.

        Raises:
            RequestError: An input is missing, or its dtype or shape differs from the file's placeholder.
        """
        fed = {placeholder: self._fed(placeholder, name, inputs) for placeholder, name in self.inputs.items()}
        fed |= {name: self._read(name, variable) for name, variable in self.variables.items()}
        fed |= self._constants
        # Inside a tf.function, an identity op captures a tensor of the outer graph.
        if tf.inside_function():
            fed = {name: tf.identity(tensor) for name, tensor in fed.items()}
        make = self._imported_apart if tf.inside_function() and self.file.has_old_loops else self._imported
        return dict(zip(self.file.outputs, make(fed), strict=True))

    def _imported(self, fed: Tensors) -> Sequence[Any]:
        try:
            tensors: Sequence[Any] = tf.import_graph_def(
                self._rest,
                {f"{name}:0": tensor for name, tensor in fed.items()},
                return_elements=[f"{name}:0" for name in self.file.outputs],
                name=f"{self.prefix}/",
            )
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise RequestError(
                f"{ARGUMENT}: {self.file.file} cannot be a part of this model ({describe(error)})", argument=ARGUMENT
            ) from error
        return tensors

    def _imported_apart(self, fed: Tensors) -> Sequence[Any]:
        """Returns the outputs of a function of their own: a ``tf.function`` adds control inputs, which a loop lacks."""
        names, given = list(fed), list(fed.values())
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in given]
        call = v1.wrap_function(lambda *tensors: self._imported(dict(zip(names, tensors, strict=True))), specs)
        return [tf.stop_gradient(tensor) for tensor in call(*given)]

    def _read(self, name: str, variable: Any) -> Any:
        with v1.name_scope(f"{self.prefix}/{name}/"):
            return variable.read_value()

    def _fed(self, placeholder: str, name: str, inputs: Tensors) -> Any:
        if name not in inputs:
            raise RequestError(
                f"{INPUT_MAP}: the data has no input {name!r}; {suggestion(name, inputs)}", argument=INPUT_MAP
            )
        wanted, given = self.file.inputs()[placeholder], inputs[name]
        if wanted.dtype != given.dtype or not given.shape.is_compatible_with(wanted.shape):
            raise RequestError(
                f"{ARGUMENT}: {self.file.file} takes {described({placeholder: wanted})}, "
                f"and the data has {described({name: given})}",
                argument=ARGUMENT,
            )
        return given

    def metadata(self) -> dict[str, Any]:
        """Returns source file, outputs and variables as JSON data for ``run.json`` and manifests."""
        return {
            "prefix": self.prefix,
            "file": str(self.file.file),
            "sha256": self.file.sha256,
            "outputs": list(self.file.outputs),
            "variables": list(self.variables),
        }


def _mapped(file: TrunkFile, input_map: Mapping[str, str] | None) -> dict[str, str]:
    """Returns the input for each placeholder that must be fed."""
    there, needed = file.inputs(), file.required_inputs()
    given = dict(input_map) if input_map is not None else {name: name for name in needed}
    if not needed and not given:
        raise RequestError(f"{OUTPUTS} ({', '.join(file.outputs)}) depend on no input of {file.file}", argument=OUTPUTS)
    for name in given:
        if name not in there:
            raise RequestError(
                f"{INPUT_MAP}: the outputs do not need the placeholder {name!r}; {suggestion(name, there)}",
                argument=INPUT_MAP,
            )
    if missing := sorted(needed - set(given)):
        raise RequestError(f"{INPUT_MAP} lacks {', '.join(missing)}, which the outputs need", argument=INPUT_MAP)
    return given


def _is_large(node: Any) -> bool:
    tensor = node.attr["value"].tensor
    dtype = tf.as_dtype(tensor.dtype)
    return bool(dtype != tf.string and tf.TensorShape(tensor.tensor_shape).num_elements() * dtype.size > SMALL_BYTES)
