"""Outputs that are proposed for the nets of others, built as people built them."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.graphdef.old_nets import NETS, dense
from trainer.graphdef.node_names import is_named_by_hand
from trainer.graphdef.output_names import likely_outputs
from trainer.graphdef.proposals import METRIC_NAME, proposed_outputs

v1 = tf.compat.v1


@pytest.fixture(params=["loops of TensorFlow 1", "loops of TensorFlow 2"])
def _control_flow(request):
    v1.disable_control_flow_v2() if request.param.endswith("1") else v1.enable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


@pytest.mark.usefixtures("_control_flow")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_the_first_is_what_one_would_predict_with_and_none_is_a_loss(net) -> None:
    with tf.Graph().as_default() as graph:
        wanted = [tensor.op.name for tensor in net()]
        v1.train.Saver()
    found = proposed_outputs(graph.as_graph_def())
    assert found[0] in wanted
    assert not [name for name in found if METRIC_NAME.search(name) or "gradients" in name or name.startswith("save/")]


def test_a_frozen_graph_has_constants_as_weights() -> None:
    with tf.Graph().as_default() as graph:
        logits = dense(v1.placeholder(tf.float32, [None, 4]), (4, 2))
        tf.nn.softmax(logits)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["Softmax"])
    assert proposed_outputs(frozen) == ["Softmax"]


def test_a_graph_without_weights_gets_what_depends_on_its_inputs() -> None:
    with tf.Graph().as_default() as graph:
        tf.multiply(v1.placeholder(tf.float32, [None], name="x"), 2.0, name="twice")
    assert likely_outputs(graph.as_graph_def()) == ["twice"]


@pytest.mark.parametrize("name", ["random_normal", "dropout_1", "MaxPool2d", "embedding_lookup"])
def test_names_of_python_functions_are_not_given_by_hand(name) -> None:
    assert not is_named_by_hand(name, "AddV2")
