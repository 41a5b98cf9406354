"""``scripts/models``: each command on what a run left."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import variables
from tests.old_graphs import write_old_run
from tests.processes import python
from trainer.cli.models import main

v1 = tf.compat.v1
PB = "export/frozen/model.pb"


@pytest.fixture
def models(capfd, tmp_path, monkeypatch):
    """The command line in this process, in an empty directory: exit code, what it printed, its errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: Any) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(each) for each in args])
        return code, *capfd.readouterr()

    return run


def expected(run: Path, x: np.ndarray) -> np.ndarray:
    values = variables(run / "checkpoints/model-3")
    return x @ values["w"] + values["b"]


def test_help_needs_no_tensorflow(no_tensorflow, tmp_path) -> None:
    for args in (["--help"], ["show", "--help"], ["convert", "--help"]):
        done = python("-m", "trainer.cli.models", *args, cwd=tmp_path, ours=False, **no_tensorflow)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: scripts/models")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run"], "required: FILE (scripts/models run --help shows how)"),
        (["shw", "."], "did you mean show?"),
        (["show", ".", "--outptu", "op"], "did you mean --output?"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(models, args, message) -> None:
    code, text, errors = models(*args)
    assert (code, text, errors.count("\n")) == (2, "", 1)
    assert message in errors


def test_a_fresh_process_prints_the_answer_and_nothing_else(small_run, tmp_path) -> None:
    done = python("-m", "trainer.cli.models", "run", str(small_run), "--input", "x=1,2,3,4", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["op"] == pytest.approx(expected(small_run, np.array([[1, 2], [3, 4]])), rel=1e-5)


@pytest.mark.parametrize("place", [".", "checkpoints/model.meta", PB, "export/saved_model"])
def test_show(models, small_run, place) -> None:
    code, text, errors = models("show", small_run / place, "--json")
    assert (code, errors) == (0, "")
    found = json.loads(text)
    assert found["inputs"] == {"x": {"tensor": "x:0", "dtype": "float32", "shape": [None, 2], "optional": False}}
    assert list(found["outputs"]) == ["op"]
    assert found["parameters"] == 3
    assert found["inference_ops"]["MatMul"] == 1
    if place == "export/saved_model":
        assert found["tag_sets"] == [["serve", "gpu"]]
        assert list(found["signatures"]["serving_default"]["inputs"]) == ["x"]
    code, text, _ = models("show", small_run / place)
    assert "3 parameters" in text
    assert "float32 [?, 2]" in text
    assert max(len(line) for line in text.splitlines()[2:]) < 100


def test_show_what_bare_tensorflow_wrote(models, tmp_path) -> None:
    write_old_run(tmp_path / "old")
    _, text, _ = models("show", tmp_path / "old/model.ckpt-2.meta", "--json")
    found = json.loads(text)
    assert (list(found["inputs"]), found["outputs"]) == (["x", "y", "is_training"], {})
    assert found["inputs"]["is_training"]["optional"]
    assert found["ops"]["ApplyAdam"] == 2
    _, text, _ = models("show", tmp_path / "old", "--output", "prediction", "--json")
    assert (list(json.loads(text)["inputs"]), json.loads(text)["parameters"]) == (["x", "is_training"], 3)


def test_run_from_files_to_files(models, small_run, tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.save("x.npy", x)
    code, text, _ = models("run", small_run / PB, "--input", "x=@x.npy", "--output", "op:0", "--save", "out.npz")
    assert code == 0
    assert text.startswith("op float32 [5, 1]\n[[")
    with np.load(tmp_path / "out.npz") as saved:
        assert saved["op"] == pytest.approx(expected(small_run, x), rel=1e-5)


def test_compare(models, small_run) -> None:
    checkpoints = small_run / "checkpoints"
    code, text, _ = models("compare", small_run, small_run / PB)
    assert (code, "the same within 1e-05, random inputs of seed 0" in text) == (0, True)
    code, text, _ = models("compare", checkpoints / "model-1", checkpoints / "model-3", "--input", "x=1,2", "--json")
    found = json.loads(text)
    assert (code, found["same"], found["outputs"][0]["shape"]) == (1, False, [1, 1])
    assert found["outputs"][0]["absolute"] > 0.01
    code, text, _ = models("compare", checkpoints / "model-1", checkpoints / "model-3", "--tolerance", "100")
    assert code == 0


def test_compare_a_checkpoint_with_a_saved_model_of_several_tags(models, small_run) -> None:
    code, text, errors = models("compare", small_run, small_run / "export/saved_model", "--tags", "serve", "gpu")
    assert (code, "the same" in text, errors) == (0, True, "")


def test_strings_as_json(models, tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        words = v1.placeholder(tf.string, [None, 1], name="words")
        tf.strings.upper(words, name="op")
        tf.identity(tf.strings.reduce_join(words), name="joined")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    code, text, _ = models("run", "net.pb", "--input", "words=a,b", "--json")
    assert (code, json.loads(text)) == (0, {"op": [["A"], ["B"]], "joined": "ab"})


def test_what_is_no_number_is_null_in_json(models, tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        tf.sqrt(v1.placeholder(tf.float32, [None], name="x"), name="op")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    code, text, _ = models("run", "net.pb", "--input", "x=4,-1", "--json")
    assert (code, json.loads(text, parse_constant=pytest.fail)) == (0, {"op": [2.0, None]})


def test_a_picture_without_grandalf_names_the_extra(models, small_run, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "grandalf.graphs", None)
    code, _, errors = models("graph", small_run)
    assert (code, "pip install 'graph-trainer[graph]'" in errors) == (2, True)


def test_convert_and_compare_across_runtimes(models, small_run, tmp_path) -> None:
    shutil.copy(small_run / PB, tmp_path)
    np.savez("data.npz", x=np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32))
    for to in ("tflite", "onnx"):
        code, text, errors = models("convert", "model.pb", "--to", to)
        assert (code, errors) == (0, "")
        assert "against model.pb on 16 examples" in text
        assert models("compare", "model.pb", f"model.{to}", "--output", "op")[0] == 0
        assert models("run", f"model.{to}", "--input", "x=1,2", "--output", "op")[0] == 2
    int8 = ("--int8", "--representative", "data.npz")
    code, text, errors = models("convert", "model.pb", "--to", "tflite", *int8, "--json")
    found = json.loads(text)
    assert (code, errors, found["path"], found["examples"]) == (0, "", "model-int8.tflite", 50)
    assert 0 < found["differences"][0]["of_range"] < 0.05
    assert found["steps"]["op"] > 0
    assert models("compare", "model.pb", "model-int8.tflite", "--input", "@data.npz")[0] == 1


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


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["show", "{run}/none"], 2, "there is no file, directory or checkpoint"),
        (["show", "empty.pb"], 1, "empty.pb is empty"),
        (["show", "text.pb"], 1, "is no frozen graph, or only a part of one"),
        (["run", "{run}"], 2, "the input 'x' (float32 [?, 2]) of"),
        (["run", "{run}", "--input", "xx=1"], 2, "did you mean x?"),
        (["run", "{run}", "--input", "x=1,2,3"], 2, "x has the shape [3] and must have [?, 2]"),
        (["run", "{run}", "--input", "x=a,b"], 2, "must be float32"),
        (["run", "{run}", "--input", "x=1,2", "--output", "opp"], 2, "did you mean op?"),
        (["run", "{run}", "--input", "x=1,2", "--save", "no/where.npz"], 1, "No such file or directory"),
        (["run", "{run}/export/saved_model", "--input", "x=1,2"], 2, "there are: serve, gpu"),
        (["compare", "{run}", "{run}/none"], 2, "there is no file"),
        (["graph", "{run}", "--depth", "-1"], 2, "--depth (-1) must be at least 0"),
        (
            ["convert", "{run}", "--to", "tflite"],
            2,
            "is a directory; name a frozen .pb, such as a run's export",
        ),
        (["convert", "{run}/export/frozen/model.pb", "--to", "tflite", "--int8"], 2, "go together"),
        (["convert", "{run}/export/frozen/model.pb", "--to", "tflite", "--output", "opp"], 2, "did you mean op?"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(models, small_run, tmp_path, args, code, message) -> None:
    (tmp_path / "empty.pb").write_bytes(b"")
    (tmp_path / "text.pb").write_text("not a graph")
    found, text, errors = models(*(each.format(run=small_run) for each in args))
    assert (found, text) == (code, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert len(errors.splitlines()) < 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.pb", "text.pb"]
