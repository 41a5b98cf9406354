"""Messages of TensorFlow's formats, imported without TensorFlow: a tenth of a second instead of several."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from trainer.errors import RequestError

PACKAGE = "tensorflow"


def _imported(*names: str) -> list[Any]:
    """Returns modules of TensorFlow's package ``core``; the package itself is imported only if it was before.

    The generated modules import each other by their full names alone, so a package that holds nothing but the
    path of the real one is enough for them. TensorFlow finds them when it is imported later.

    Raises:
        RequestError: TensorFlow is not installed.
    """
    full = [f"{PACKAGE}.core.{name}" for name in names]
    if PACKAGE in sys.modules:
        return [importlib.import_module(name) for name in full]
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise RequestError("TensorFlow is not installed: pip install tensorflow")
    hollow = ModuleType(PACKAGE)
    hollow.__path__ = list(spec.submodule_search_locations or [])
    sys.modules[PACKAGE] = hollow
    try:
        return [importlib.import_module(name) for name in full]
    finally:
        del sys.modules[PACKAGE]


graph_pb2, node_def_pb2, types_pb2, variable_pb2, tensor_shape_pb2 = _imported(
    "framework.graph_pb2",
    "framework.node_def_pb2",
    "framework.types_pb2",
    "framework.variable_pb2",
    "framework.tensor_shape_pb2",
)
meta_graph_pb2, saved_model_pb2, struct_pb2, tensor_bundle_pb2, trackable_pb2 = _imported(
    "protobuf.meta_graph_pb2",
    "protobuf.saved_model_pb2",
    "protobuf.struct_pb2",
    "protobuf.tensor_bundle_pb2",
    "protobuf.trackable_object_graph_pb2",
)
GraphDef: Any = graph_pb2.GraphDef
NodeDef: Any = node_def_pb2.NodeDef
MetaGraphDef: Any = meta_graph_pb2.MetaGraphDef
SavedModel: Any = saved_model_pb2.SavedModel
VariableDef: Any = variable_pb2.VariableDef
