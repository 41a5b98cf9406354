"""Calls of functions, replaced by what the functions compute."""

from __future__ import annotations

from trainer.graphdef.protos import GraphDef
from trainer.inspection import calls
from trainer.inspection.calls import inline_calls


def test_calls_within_calls_become_the_ops_of_the_functions() -> None:
    graph = GraphDef()
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="PartitionedCall", op="PartitionedCall", input=["x"]).attr["f"].func.name = "__inference_net_3"
    net = function(graph, "__inference_net_3", ["first:last:0", "second/PartitionedCall:output:0"])
    net.node_def.add(name="first", op="dense", input=["a"])
    net.node_def.add(name="second/PartitionedCall", op="PartitionedCall", input=["first:last:0"])
    net.node_def[-1].attr["f"].func.name = "dense"
    function(graph, "dense", ["MatMul:product:0"], "last").node_def.add(name="MatMul", op="MatMul", input=["a"])
    nodes, ends = inline_calls(graph, ["PartitionedCall:0", "PartitionedCall:1"])
    assert {node.name: node.inputs for node in nodes} == {
        "x": (),
        "first/dense/MatMul": ("x",),
        "second/dense/MatMul": ("first/dense/MatMul",),
    }
    assert ends == {"PartitionedCall:0": "first/dense/MatMul", "PartitionedCall:1": "second/dense/MatMul"}


def test_a_function_that_calls_itself_stays_a_box() -> None:
    graph = GraphDef()
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="call", op="deep", input=["x"])
    function(graph, "deep", ["again:out0:0"]).node_def.add(name="again", op="deep", input=["a"])
    nodes, ends = inline_calls(graph, ["call:0"])
    assert [(node.message.op, node.inputs) for node in nodes] == [("deep", ("x",)), ("Placeholder", ())]
    assert set(ends) == {"call:0"}


def test_bodies_that_double_with_each_call_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(calls, "MAX_NODES", 500)
    graph = GraphDef()
    graph.node.add(name="x", op="Placeholder")
    graph.node.add(name="call", op="f0", input=["x"])
    for i in range(20):
        body = function(graph, f"f{i}", ["b:out0:0"]).node_def
        body.add(name="a", op=f"f{i + 1}", input=["a"])
        body.add(name="b", op=f"f{i + 1}", input=["a:out0:0"])
    function(graph, "f20", ["y:y:0"]).node_def.add(name="y", op="Neg", input=["a"])
    assert len(inline_calls(graph, ["call:0"])[0]) < 1_000


def function(graph, name: str, returned: list[str], output: str = "out"):
    """Returns a new function of the graph's library, with the argument a."""
    found = graph.library.function.add()
    found.signature.name = name
    found.signature.input_arg.add(name="a")
    for i, tensor in enumerate(returned):
        key = output if output == "last" else f"{output}{i}"
        found.signature.output_arg.add(name=key)
        found.ret[key] = tensor
    return found
