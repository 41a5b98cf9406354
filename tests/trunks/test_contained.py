"""Whether a frozen whole holds its trunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import ReadBackError
from trainer.graphdef.graph_file import read_graph
from trainer.trunks.contained import check_contained
from trainer.trunks.trunk import Trunk


@pytest.mark.parametrize("of_outputs", [False, True])
def test_a_whole_that_holds_another_trunk_is_noticed(trunk_file, on_trunk, of_outputs) -> None:
    whole = read_graph(on_trunk / "export/frozen/model.pb")
    example: Mapping[str, Any] = {"x": np.ones((3, 2), np.float32)}
    with tf.Graph().as_default():
        trunk = Trunk(path=str(trunk_file), outputs=["features"])
        trunk.build()
    assert check_contained(trunk, whole, "it", example)["outputs_compared"]
    if of_outputs:
        relu = next(node for node in whole.node if node.op == "Relu")
        relu.op = "Neg"
        message = "trunk/features of it differs from the output of the trunk"
    else:
        tensor = next(node for node in whole.node if node.name == "trunk/dense/bias").attr["value"].tensor
        tensor.CopyFrom(tf.make_tensor_proto(np.nextafter(tf.make_ndarray(tensor), np.float32(np.inf))))
        message = r"constants differ \(dense/bias\)"
    with pytest.raises(ReadBackError, match=message):
        check_contained(trunk, whole, "it", example)
