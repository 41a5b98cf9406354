"""The experiment ``text``: strings in, words out, by plain TensorFlow in a fresh process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import assert_same_bits, run
from tests.processes import python
from trainer.data.arrays import InMemory
from trainer.data.docstrings import MODULES, load_docstrings, vocabulary
from trainer.errors import RequestError
from trainer.models.text import TextClassifier
from trainer.predict.backends.dispatch import open_predictor

LINES = ["Draw a circle with given radius.", "Compare two sequences of lines", "Open a compressed archive", "", "?!"]


def train(directory: Path, epochs: int, vocabulary: Any) -> Any:
    callbacks = {"e": Evaluate(), "c": Checkpoint(every_n_epochs=1), "f": Freeze(), "s": SavedModel()}
    return run(
        directory,
        callbacks,
        epochs=epochs,
        data=InMemory(load_docstrings, batch_size=64, validation=0.2),
        make_model=lambda: TextClassifier(vocabulary, MODULES, size=16),
    )


READ = """
import json, sys
import tensorflow as tf
v1, lines = tf.compat.v1, json.loads(sys.argv[2])
with tf.Graph().as_default(), v1.Session() as session:
    v1.saved_model.load(session, ["serve"], sys.argv[1])
    first = session.run("guess:0", {"line:0": lines})
second = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](line=tf.constant(lines))["guess"].numpy()
print(json.dumps([[each.decode() for each in found] for found in (first, second)]))
"""


def test_it_learns_resumes_and_answers_with_words(tmp_path, monkeypatch) -> None:
    (tmp_path / "words.txt").write_text("\n".join(vocabulary(1000)) + "\n", encoding="utf-8")
    state = train(tmp_path / "straight", 3, str(tmp_path / "words.txt"))
    assert state.metrics["val_accuracy"] > 0.7
    train(tmp_path / "resumed", 1, str(tmp_path / "words.txt"))
    train(tmp_path / "resumed", 3, str(tmp_path / "words.txt"))
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "resumed/checkpoints/model-3")
    (tmp_path / "words.txt").unlink()
    read = python("-c", READ, "straight/export/saved_model/3", json.dumps(LINES), cwd=tmp_path, ours=False)
    first, second = json.loads(read.stdout.splitlines()[-1])
    assert first == second
    assert first[:3] == ["turtle", "difflib", "tarfile"]
    with open_predictor(tmp_path / "straight/export/frozen/model.pb") as predictor:
        found = predictor(line=LINES)
    assert [each.decode() for each in found["guess"]] == first
    assert np.isfinite(found["logits"]).all()


def test_a_longer_batch_and_padding_change_no_answer() -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = TextClassifier(vocabulary(200), MODULES, size=8, max_words=6)
        line = tf.compat.v1.placeholder(tf.string, [None])
        logits = model({"line": line}, training=False)["logits"]
        session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
        alone = session.run(logits, {line: ["draw a circle"]})
        beside = session.run(logits, {line: ["Draw, a  CIRCLE!", "a line of more than six words, or of seven"]})
    np.testing.assert_allclose(alone[0], beside[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"vocabulary": "nowhere.txt"}, RequestError, "model.vocabulary: nowhere.txt cannot be read"),
        ({"vocabulary": []}, ValueError, "model.vocabulary"),
        ({"answers": "turtle"}, TypeError, "model.answers"),
        ({"size": 0}, ValueError, "model.size"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(arguments, error, message) -> None:
    with tf.Graph().as_default(), pytest.raises(error, match=message):
        TextClassifier(**{"vocabulary": ["a"], "answers": ["b"], **arguments})
