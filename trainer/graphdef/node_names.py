"""Names of nodes: derived from the type of an op, or given by the author of a graph."""

from __future__ import annotations

import re

NAMES_OF_PYTHON_FUNCTIONS = {"div", "matmul", "mod", "pow", "rtruediv", "stack", "truediv", "unstack", "zeros", "ones"}
NAMES_OF_PYTHON_FUNCTIONS |= {
    "MaxPool2d",
    "AvgPool2d",
    "embedding_lookup",
    "random_normal",
    "random_uniform",
    "dropout",
}
NAMES_OF_PYTHON_FUNCTIONS |= {
    "conv2d_transpose",
    "truncated_normal",
    "Tensordot",
    "l2_normalize",
    "xw_plus_b",
    "concat",
}
"""Names that TensorFlow's Python functions give to ops of another type (``Pack``, ``RealDiv``, ``BatchMatMulV2``)."""


def is_named_by_hand(name: str, op_type: str) -> bool:
    """Returns whether the author of a graph named an op: whether its name is not derived from its type.

    Example:
        >>> [is_named_by_hand(*each) for each in [("net/op", "Identity"), ("add_1", "AddV2"), ("BiasAdd", "BiasAdd")]]
        [True, False, False]
    """
    last = re.sub(r"(_\d+)+$", "", name.rpartition("/")[2])
    if last in NAMES_OF_PYTHON_FUNCTIONS:
        return False

    def plain(text: str) -> str:
        return re.sub(r"V\d$", "", text).replace("_", "").lower()

    return plain(last) != plain(op_type)
