"""The picture of a graph, read back from its SVG."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import tensorflow as tf

from trainer import inspection

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


def picture(path: Path) -> tuple[dict[str, list[str]], int]:
    """Returns the lines of each box, and the number of arrows; all within the picture, and no box on another."""
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
    return boxes, len(list(root.iter(f"{svg}polyline")))
