"""run and compare: models on values from files and from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.processes import python
from tests.readers import expected

v1 = tf.compat.v1
PB = "export/frozen/model.pb"


def test_a_fresh_process_prints_the_answer_and_nothing_else(small_run, tmp_path) -> None:
    done = python("-m", "trainer.cli.models", "run", str(small_run), "--input", "x=1,2,3,4", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["op"] == pytest.approx(expected(small_run, 3, np.array([[1, 2], [3, 4]])), rel=1e-5)


def test_run_from_files_to_files(models, small_run, tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.save("x.npy", x)
    code, text, _ = models("run", small_run / PB, "--input", "x=@x.npy", "--output", "op:0", "--save", "out.npz")
    assert code == 0
    assert text.startswith("op float32 [5, 1]\n[[")
    with np.load(tmp_path / "out.npz") as saved:
        assert saved["op"] == pytest.approx(expected(small_run, 3, x), rel=1e-5)


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
    code, text, _ = models("run", "net.pb", "--input", "words=Hi, ho", "--save", "out.npz")
    assert (code, text) == (0, "op string [1, 1]\n[['HI, HO']]\n\njoined string []\nHi, ho\n")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as saved:
        assert (saved["op"].tolist(), saved["joined"].tolist()) == ([["HI, HO"]], "Hi, ho")


def test_bytes_that_are_no_text(models, tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        tf.strings.join([v1.placeholder(tf.string, [None], name="x"), b"\xff"], name="raw")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    code, text, _ = models("run", "net.pb", "--input", "x=a", "--save", "out.npz")
    assert (code, r"b'a\xff'" in text) == (0, True)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as saved:
        assert saved["raw"].tolist() == [b"a\xff"]


def test_what_is_no_number_is_null_in_json(models, tmp_path) -> None:
    with tf.Graph().as_default() as graph:
        tf.sqrt(v1.placeholder(tf.float32, [None], name="x"), name="op")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    code, text, _ = models("run", "net.pb", "--input", "x=4,-1", "--json")
    assert (code, json.loads(text, parse_constant=pytest.fail)) == (0, {"op": [2.0, None]})
