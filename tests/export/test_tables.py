"""Models with look-up tables: trained, saved, exported, and read by plain TensorFlow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import assert_same_bits, run
from tests.processes import python
from trainer.callback import Callback
from trainer.data.arrays import Arrays, InMemory
from trainer.errors import RequestError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.model import FunctionModel
from trainer.predict.backends.dispatch import open_predictor
from trainer.schedule import Schedule
from trainer.trunks.trunk_file import read_trunk

v1 = tf.compat.v1

WORDS = ["ant", "bee", "cat", "dog", "eel"]
ASKED = np.asarray([*WORDS, "fox"])
ROWS = 8


def words() -> InMemory:
    ids = np.random.default_rng(0).integers(0, len(WORDS), 64)
    return InMemory(Arrays({"word": np.asarray(WORDS)[ids]}, {"y": (ids % 2).astype(np.int64)}), batch_size=8)


class Words:
    """Rows of an embedding by word, and a linear layer; the file of the vocabulary is in the working directory."""

    def __init__(self) -> None:
        self.rows = v1.get_variable("rows", [ROWS, 4], initializer=v1.random_normal_initializer(seed=1))
        self.w = v1.get_variable("w", [4, 2], initializer=v1.random_normal_initializer(seed=2))
        self.make()

    def make(self) -> None:
        self.table = tf.lookup.StaticVocabularyTable(numbered(), num_oov_buckets=3)

    def ids(self, words: Any, training: bool) -> Any:
        return self.table.lookup(words)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"logits": tf.nn.embedding_lookup(self.rows, self.ids(inputs["word"], training)) @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels["y"], logits=outputs["logits"])
        )


def numbered() -> Any:
    return tf.lookup.KeyValueTensorInitializer(WORDS, range(len(WORDS)), value_dtype=tf.int64)


def by_line(path: str = "words.txt") -> Any:
    return v1.lookup.TextFileInitializer(
        path, tf.string, v1.lookup.TextFileIndex.WHOLE_LINE, tf.int64, v1.lookup.TextFileIndex.LINE_NUMBER
    )


class OfFile(Words):
    def make(self) -> None:
        self.table = tf.lookup.StaticHashTable(by_line(), 7)


class TwoFiles(Words):
    """Two files of one name, and a table of the graph."""

    def make(self) -> None:
        self.tables = [tf.lookup.StaticHashTable(by_line(each), 0) for each in ("words.txt", "other/words.txt")]
        self.odd = tf.lookup.StaticHashTable(numbered(), 0)

    def ids(self, words: Any, training: bool) -> Any:
        first, second = (table.lookup(words) for table in self.tables)
        return (first + second + self.odd.lookup(words)) % ROWS


class ComputedPath(Words):
    def make(self) -> None:
        self.table = tf.lookup.StaticHashTable(by_line(tf.strings.join(["words", ".txt"])), 7)


class OfOldForm(Words):
    def make(self) -> None:
        self.table = v1.lookup.StaticVocabularyTable(by_line(), 2, lookup_key_dtype=tf.string)


class InTheCall(Words):
    def make(self) -> None:
        pass

    def ids(self, words: Any, training: bool) -> Any:
        return tf.lookup.StaticHashTable(numbered(), 7).lookup(words)


class StringLookup(Words):
    def make(self) -> None:
        self.layer = keras.layers.StringLookup(vocabulary=WORDS, num_oov_indices=2)

    def ids(self, words: Any, training: bool) -> Any:
        return self.layer(words)


class TextVectorization(Words):
    def make(self) -> None:
        self.layer = keras.layers.TextVectorization(vocabulary=WORDS, output_sequence_length=2)

    def ids(self, words: Any, training: bool) -> Any:
        return self.layer(words)[:, 0]


class IntegerLookup(Words):
    def make(self) -> None:
        self.layer = keras.layers.IntegerLookup(vocabulary=[2, 3, 5, 7])

    def ids(self, words: Any, training: bool) -> Any:
        return self.layer(tf.strings.to_hash_bucket_fast(words, ROWS))


class Hashing(Words):
    def make(self) -> None:
        self.layer = keras.layers.Hashing(ROWS)

    def ids(self, words: Any, training: bool) -> Any:
        return self.layer(words)


class Mutable(Words):
    """Tables that training fills with words and with rows of numbers; a dense one has empty buckets."""

    def make(self) -> None:
        experimental = tf.lookup.experimental
        self.seen = experimental.MutableHashTable(tf.string, tf.int64, 7, name="seen")
        self.dense = experimental.DenseHashTable(tf.string, tf.int64, 7, "", "-", name="dense")
        self.pairs = experimental.DenseHashTable(tf.int64, tf.float32, [0.0, 0.0], -1, -2, name="pairs")
        self.vectors = experimental.MutableHashTable(tf.string, tf.int64, [0, 0], name="vectors")

    def ids(self, words: Any, training: bool) -> Any:
        if training:
            known, _ = tf.unique(words)
            ids = tf.strings.to_hash_bucket_fast(known, 6)
            twice = tf.stack([ids, ids], 1)
            filled = [
                self.seen.insert(known, ids),
                self.dense.insert(known, ids),
                self.pairs.insert(ids, tf.cast(twice, tf.float32)),
                self.vectors.insert(known, twice),
            ]
            with tf.control_dependencies(filled):
                words = tf.identity(words)
        seen = (self.seen.lookup(words) + self.dense.lookup(words)) // 2
        pairs = tf.cast(self.pairs.lookup(seen), tf.int64)
        return tf.reduce_sum(pairs + self.vectors.lookup(words), 1) // 4


class Given(Words):
    def make(self) -> None:
        self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 7, name="given")
        self.table.insert(tf.constant(WORDS), tf.range(5, dtype=tf.int64))


class WordsOut(Words):
    def make(self) -> None:
        super().make()
        names = tf.lookup.KeyValueTensorInitializer([0, 1], ["even", "odd"], tf.int64, tf.string)
        self.names = tf.lookup.StaticHashTable(names, "?")

    def __call__(self, inputs: Any, training: bool) -> Any:
        outputs = super().__call__(inputs, training)
        name = self.names.lookup(tf.argmax(outputs["logits"], -1))
        return {**outputs, "name": name, "upper": tf.strings.upper(inputs["word"])}


def build(inputs: Any, labels: Any, training: bool) -> Any:
    """Function of graph mode, which makes its table in each call."""
    words = tf.lookup.StaticVocabularyTable(by_line(), num_oov_buckets=3).lookup(inputs["word"])
    rows, w = v1.get_variable("rows", [ROWS, 4]), v1.get_variable("w", [4, 2])
    logits = tf.matmul(tf.gather(rows, words), w, name="logits")
    if labels is None:
        return {"logits": logits}
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels["y"], logits=logits)
    return {"logits": logits}, tf.reduce_mean(losses, name="loss")


LIST = [Words, OfFile, TwoFiles, ComputedPath, OfOldForm, InTheCall, StringLookup, TextVectorization, IntegerLookup]
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*LIST, Hashing, Mutable, Given, WordsOut)}
KINDS["function"] = lambda: FunctionModel(build)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tables")
    write_vocabularies(directory)
    return directory


def write_vocabularies(directory: Path) -> None:
    (directory / "other").mkdir()
    (directory / "words.txt").write_text("\n".join(WORDS) + "\n")
    (directory / "other/words.txt").write_text("\n".join(reversed(WORDS)) + "\n")


@pytest.fixture
def trained(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Runs of two epochs by kind, with all exports; the working directory has the vocabularies."""
    monkeypatch.chdir(home)

    def path(kind: str) -> Path:
        if not (home / kind).exists():
            train(home / kind, KINDS[kind])
        return home / kind

    return path


def train(directory: Path, make_model: Any, more: dict[str, Callback] | None = None, **changes: Any) -> Any:
    callbacks = {"c": Checkpoint(every_n_epochs=1, keep_best=1), "f": Freeze(), "s": SavedModel(), **(more or {})}
    return run(directory, callbacks, make_model=make_model, data=words(), **{"epochs": 2, **changes})


def outputs_of(file: Path) -> dict[str, Any]:
    with open_predictor(file) as predictor:
        return {name: value.tolist() for name, value in predictor(word=ASKED).items()}


def assert_close(first: dict[str, Any], second: dict[str, Any]) -> None:
    np.testing.assert_allclose(first.pop("logits"), second.pop("logits"), rtol=1e-5, atol=1e-6)
    assert first == second


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_gives_what_the_checkpoint_gives(kind, trained, tmp_path) -> None:
    directory = trained(kind)
    made = [
        directory / "export/frozen/model.pb",
        directory / "export/saved_model/2",
        freeze_checkpoint(directory, tmp_path / "later.pb"),
        export_checkpoint(directory, tmp_path / "later"),
        freeze_checkpoint(directory, tmp_path / "code.pb", parts=lambda: (KINDS[kind], words())),
        export_checkpoint(directory, tmp_path / "code", parts=lambda: (KINDS[kind], words())),
    ]
    for file in made:
        assert_close(outputs_of(file), outputs_of(directory))


READ = """
import json, sys
import numpy as np
import tensorflow as tf
v1, asked = tf.compat.v1, json.loads(sys.argv[2])
def of(run):
    def fetched(session):
        return session.run("logits:0", {"word:0": asked}).tolist()
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], run + "/export/saved_model/2")
        yield "saved_model", fetched(session)
    outputs = tf.saved_model.load(run + "/export/saved_model/2").signatures["serving_default"](word=tf.constant(asked))
    yield "signature", outputs["logits"].numpy().tolist()
    with tf.Graph().as_default(), v1.Session() as session:
        definition = v1.GraphDef.FromString(open(run + "/export/frozen/model.pb", "rb").read())
        tf.import_graph_def(definition, name="")
        if "init_all_tables" in [node.name for node in definition.node]:
            session.run("init_all_tables")
        yield "pb", fetched(session)
    if sys.argv[3] == "meta":
        with tf.Graph().as_default(), v1.Session() as session:
            prefix = tf.train.latest_checkpoint(run + "/checkpoints")
            v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
            session.run(v1.tables_initializer())
            yield "meta", fetched(session)
print(json.dumps({run: dict(of(run)) for run in json.loads(sys.argv[1])}))
"""


@pytest.mark.parametrize("kinds", [["OfFile", "Mutable"], [*KINDS]], ids=["few", "all"])
def test_plain_tensorflow_reads_every_file(kinds, trained, home) -> None:
    runs = [str(trained(kind)) for kind in kinds]
    read = python("-c", READ, json.dumps(runs), json.dumps(ASKED.tolist()), "meta", cwd=home, ours=False)
    for directory, found in json.loads(read.stdout.splitlines()[-1]).items():
        for file, logits in found.items():
            expected = outputs_of(Path(directory))["logits"]
            np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6, err_msg=f"{directory} {file}")


def test_the_exports_hold_the_vocabulary(trained, tmp_path) -> None:
    expected = outputs_of(trained("OfFile"))["logits"]
    shutil.copytree(trained("OfFile") / "export", tmp_path / "run/export")
    assert (tmp_path / "run/export/saved_model/2/assets/words.txt").read_text().split() == WORDS
    read = python("-c", READ, '["run"]', json.dumps(ASKED.tolist()), "", cwd=tmp_path, ours=False)
    for logits in json.loads(read.stdout.splitlines()[-1])["run"].values():
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    manifest = json.loads((tmp_path / "run/export/frozen/model.json").read_text())
    assert manifest["initializer"] == "init_all_tables"


class AtEpoch(Callback):
    """Callback that calls a function after the first epoch."""

    schedule = Schedule(every_n_epochs=1)

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def on_step_end(self, context: Any) -> None:
        self.act()


@pytest.mark.parametrize("change", ["has changed", "cannot be read"])
def test_a_vocabulary_that_goes_is_in_the_exports(change, trained, tmp_path, monkeypatch, caplog) -> None:
    expected = outputs_of(trained("OfFile"))
    write_vocabularies(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "words.txt"

    def act() -> None:
        file.write_text("dog\nant\n") if change == "has changed" else file.unlink(missing_ok=True)

    train(tmp_path / "run", OfFile, {"a": AtEpoch(act)})
    assert change in caplog.text
    for export in ("frozen/model.pb", "saved_model/2"):
        assert_close(outputs_of(tmp_path / "run/export" / export), {**expected})
    with pytest.raises(RequestError, match=r"the vocabulary file words.txt .* (has changed|is gone)"):
        open_predictor(tmp_path / "run")
    with pytest.raises(RequestError, match=r"the vocabulary file words.txt .* (has changed|is gone)"):
        freeze_checkpoint(tmp_path / "run")


@pytest.mark.parametrize("kind", ["OfFile", "Words"])
def test_a_resume_with_another_vocabulary_is_refused(kind, tmp_path, monkeypatch) -> None:
    write_vocabularies(tmp_path)
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "run", KINDS[kind], epochs=1)
    (tmp_path / "words.txt").write_text("\n".join(["eel", *WORDS[:-1]]))
    monkeypatch.setattr(f"{__name__}.WORDS", ["eel", *WORDS[:-1]])
    with pytest.raises(RequestError, match="has other entries than when this run began"):
        train(tmp_path / "run", KINDS[kind], epochs=2)


def test_a_resume_has_the_entries_and_bits_of_a_straight_run(trained, tmp_path) -> None:
    train(tmp_path / "run", Mutable, epochs=1)
    train(tmp_path / "run", Mutable, epochs=2)
    assert outputs_of(tmp_path / "run/export/saved_model/2") == outputs_of(trained("Mutable") / "export/saved_model/2")
    train(tmp_path / "words", Words, epochs=1)
    train(tmp_path / "words", Words, epochs=2)
    assert_same_bits(tmp_path / "words/checkpoints/model-2", trained("Words") / "checkpoints/model-2")


def test_the_best_checkpoint_has_entries_of_its_own(tmp_path) -> None:
    best = {"f": Freeze(which="best"), "s": SavedModel(which="best")}
    train(tmp_path / "run", Mutable, {"c": Checkpoint(every_n_epochs=1, keep_best=1, monitor="loss"), **best})
    number = next((tmp_path / "run/export/saved_model").iterdir()).name
    for file in (tmp_path / "run/export/frozen/model.pb", tmp_path / "run/export/saved_model" / number):
        assert_close(outputs_of(file), outputs_of(Path(f"{tmp_path}/run@{number}")))


def anonymous(self: Any) -> None:
    self.table = tf.lookup.StaticHashTable(numbered(), 7, experimental_is_anonymous=True)


def not_saved(self: Any) -> None:
    self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 7, name="seen", checkpoint=False)


def lost(self: Any) -> None:
    self.table = tf.lookup.StaticHashTable(by_line("nowhere.txt"), 7)


REFUSED = {
    "anonymous": (anonymous, r"test_tables.py:\d+ is made with experimental_is_anonymous=True"),
    "not saved": (not_saved, "'seen' is made with checkpoint=False"),
    "a vocabulary that is not there": (lost, "file 'nowhere.txt' of the look-up table 'hash_table' is not there"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_would_lose_its_entries_is_refused_before_the_first_step(case, tmp_path) -> None:
    make, message = REFUSED[case]
    with pytest.raises(RequestError, match=message):
        train(tmp_path / "run", type("Refused", (Words,), {"make": make}))
    assert not (tmp_path / "run").exists()


def test_an_output_without_a_table_has_no_initialiser(trained, tmp_path) -> None:
    file = freeze_checkpoint(trained("Words"), tmp_path / "rows.pb", outputs=["rows/Read/ReadVariableOp"])
    assert "initializer" not in json.loads(file.with_suffix(".json").read_text())


def test_a_trunk_with_tables_is_refused(trained) -> None:
    with pytest.raises(RequestError, match="has look-up tables"):
        read_trunk(trained("Words") / "export/frozen/model.pb", ["logits"])


def test_a_run_tells_how_its_pb_is_read(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    run(tmp_path / "run", {"f": Freeze()}, make_model=Words, data=words(), epochs=1)
    assert caplog.text.count("the .pb holds look-up tables (hash_table): run its op init_all_tables once") == 1
