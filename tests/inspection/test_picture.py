"""The picture of a graph, read back from its SVG."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tensorflow as tf

from tests.inspection import nets
from trainer import inspection
from trainer.inspection.boxes import candidates
from trainer.inspection.geometry import MAX_WIDTH
from trainer.inspection.graphs import strong_components
from trainer.inspection.net import net_of
from trainer.inspection.ops import ops_of

v1 = tf.compat.v1


def test_a_picture_without_grandalf_names_the_extra(models, small_run, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "grandalf.graphs", None)
    monkeypatch.delitem(sys.modules, "trainer.inspection.layout", raising=False)
    monkeypatch.delitem(vars(inspection), "arrange", raising=False)
    code, _, errors = models("graph", small_run)
    assert (code, "pip install 'graph-trainer[graph]'" in errors) == (2, True)


def test_graph(models, tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        with tf.name_scope("dense"):
            hidden = tf.nn.relu(tf.matmul(x, tf.ones([4, 3]), name="product"))
        with tf.name_scope("block/a"):
            left = tf.exp(hidden) + 1
        with tf.name_scope("block/b"):
            right = tf.exp(-hidden)
        tf.add(left, right, name="op")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    code, text, _ = models("graph", "net.pb")
    assert (code, text.split()[0]) == (0, "net.svg")
    boxes, arrows = picture(tmp_path / "net.svg")
    assert set(boxes) == {"x", "dense", "block/a", "block/b", "op"}
    assert boxes["x"][:2] == ["x", "float32 [?, 4]"]
    assert "ones [4, 3]" in boxes["dense"]
    assert arrows == 5
    assert models("graph", "net.pb", "--depth", "1", "-o", "flat.svg", "--json")[0] == 0
    assert set(picture(tmp_path / "flat.svg")[0]) == {"x", "dense", "block", "op"}


@pytest.mark.parametrize("depth", [None, 0, 2], ids=str)
@pytest.mark.parametrize("net", [*nets.GRAPHS, *nets.KERAS])
def test_every_picture(net, depth, tmp_path) -> None:
    path = nets.saved(net, tmp_path)
    model = inspection.read_model(path)
    (tmp_path / "net.svg").write_text(inspection.draw(model, depth))
    boxes, _ = picture(tmp_path / "net.svg")
    text = (tmp_path / "net.svg").read_text()
    assert ElementTree.fromstring(text)[0].text == path.name
    assert str(tmp_path) not in text
    for drawn in candidates(net_of(*ops_of(model)), depth):
        reads = {name: [a for a, b in drawn.edges if b == name] for name in drawn.boxes}
        assert all(len(component) == 1 for component in strong_components(reads))
    shown = " ".join(tooltips(tmp_path / "net.svg")) + " ".join(line for lines in boxes.values() for line in lines)
    names = [name.removeprefix("serving_default_") for name in (*model.inputs, *model.outputs)]
    assert [name for name in names if name not in shown] == []


def test_a_call_is_drawn_as_what_it_computes_with_the_weights_that_it_shares(tmp_path) -> None:
    drawn = boxes_of(nets.saved("nested", tmp_path))
    users = [box.name for box in drawn.boxes.values() if "w [4, 4] (shared 1)" in box.lines]
    assert sorted(users) == ["inner", "inner_1", "inner_2"]
    assert not any("PartitionedCall" in line for box in drawn.boxes.values() for line in box.lines)
    assert ("inner", "inner_1") in drawn.edges or ("inner", "inner_2") in drawn.edges


def test_a_scope_that_is_left_and_entered_again_is_two_boxes(tmp_path) -> None:
    drawn = boxes_of(nets.saved("circle", tmp_path))
    split = [name for name in drawn.boxes if name.endswith((" (1)", " (2)"))]
    assert split in (["a (1)", "a (2)"], ["b (1)", "b (2)"], ["a (1)", "b (1)", "a (2)", "b (2)"])


def test_repeated_columns_are_one_box(tmp_path) -> None:
    drawn = boxes_of(nets.saved("wide", tmp_path))
    columns = drawn.boxes["column_1 … column_120"]
    assert (columns.lines, len(columns.members)) == (("x 120", "float32 [?, 1]"), 120)
    assert len(drawn.boxes) < 10


def test_flags_are_labels_where_they_are_used(tmp_path) -> None:
    drawn = boxes_of(nets.saved("flags", tmp_path))
    assert {"is_training", "keep_prob"}.isdisjoint(drawn.boxes)
    assert [box.name for box in drawn.boxes.values() if set(box.flags) == {"is_training", "keep_prob"}] == [
        f"layer{i}" for i in range(4)
    ]


def test_a_scalar_that_is_the_only_input_is_a_box(tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        tf.square(v1.placeholder(tf.float32, [], name="x"), name="y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert set(boxes_of(tmp_path / "net.pb").boxes) == {"x", "y"}


def test_towers_share_their_weights(tmp_path) -> None:
    drawn = boxes_of(nets.saved("siamese", tmp_path))
    assert all("kernel [16, 16] (shared 1)" in drawn.boxes[name].lines for name in ("tower", "tower_1"))


def test_a_residual_addition_is_a_box_that_both_branches_reach(tmp_path) -> None:
    drawn = boxes_of(nets.saved("residual", tmp_path))
    additions = [name for name, box in drawn.boxes.items() if box.kind == "addition"]
    assert len(additions) == 3
    assert [sum(end == name for _, end in drawn.edges) for name in additions] == [2, 2, 2]


def test_three_thousand_ops_are_drawn_in_seconds(tmp_path) -> None:
    model = inspection.read_model(nets.saved("flat", tmp_path))
    assert len(model.part.graph_def.node) > 3_000
    assert picture_of(inspection.draw(model), tmp_path)[0]


def boxes_of(path: Path):
    """Returns the boxes that are tried first."""
    model = inspection.read_model(path)
    operations, outputs = ops_of(model)
    return next(candidates(net_of(operations, outputs, ["is_training", "keep_prob"])))


def tooltips(path: Path) -> list[str]:
    """Returns the whole names in a picture."""
    return [title.text for title in ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}title")]


def picture_of(text: str, folder: Path) -> tuple[dict[str, list[str]], int]:
    (folder / "picture.svg").write_text(text)
    return picture(folder / "picture.svg")


def picture(path: Path) -> tuple[dict[str, list[str]], int]:
    """Returns the lines of each box, and the number of arrows.

    All is within a picture of the greatest width, no box is on another, and each arrow goes down and through no box.
    """
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.parse(path).getroot()
    boxes, places = {}, []
    for group in root.iter(f"{svg}g"):
        texts = [text.text for text in group.iter(f"{svg}text")]
        boxes[texts[0]] = texts
        rect = group.find(f"{svg}rect").attrib
        x, y, width, height = (float(rect[key]) for key in ("x", "y", "width", "height"))
        assert all(x + width <= a or a + c <= x or y + height <= b or b + d <= y for a, b, c, d in places)
        places.append((x, y, width, height))
    left, top, width, height = (float(each) for each in root.attrib["viewBox"].split())
    assert all(left <= a and a + c <= left + width and top <= b and b + d <= top + height for a, b, c, d in places)
    assert width <= MAX_WIDTH
    arrows = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in root.iter(f"{svg}polyline")
    ]
    for (x, y), (x_end, y_end) in (each for arrow in arrows for each in pairwise(arrow)):
        assert y <= y_end
        for a, b, c, d in places:
            inside = y < b + d - 1 and y_end > b + 1 and min(x, x_end) < a + c and max(x, x_end) > a
            assert not inside, "an arrow goes through a box"
    return boxes, len(arrows)
