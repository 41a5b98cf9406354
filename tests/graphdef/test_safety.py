"""Which graphs of others may run: no file outside the model is touched, and nothing but TensorFlow computes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import RequestError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.protos import GraphDef
from trainer.graphdef.safety import allowed_ops, check_declared_sizes, forbidden_ops
from trainer.predict.backends.dispatch import open_predictor
from trainer.trunks.trunk_file import read_trunk

v1 = tf.compat.v1

X = np.float32([[1.0, 2.0]])


def write(path: str) -> Any:
    return tf.io.write_file(path, "here")


def read(path: str) -> Any:
    return tf.io.read_file(path)


def match(path: str) -> Any:
    return tf.io.matching_files(path)


def print_to_file(path: str) -> Any:
    return tf.raw_ops.PrintV2(input=tf.constant("here"), output_stream=f"file://{path}")


def save(path: str) -> Any:
    return tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)])


def restore(path: str) -> Any:
    return tf.raw_ops.RestoreV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])[0]


def summary(path: str) -> Any:
    writer = tf.raw_ops.SummaryWriter(shared_name="", container="")
    return tf.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=path, max_queue=1, flush_millis=1, filename_suffix=""
    )


def records(path: str) -> Any:
    return v1.data.make_one_shot_iterator(tf.data.TFRecordDataset(path)).get_next()


def cache(path: str) -> Any:
    return v1.data.make_one_shot_iterator(tf.data.Dataset.range(3).cache(path)).get_next()


def text_reader(path: str) -> Any:
    reader = v1.WholeFileReader()
    return reader.read(v1.train.string_input_producer([path], num_epochs=None)).value


def python(path: str) -> Any:
    return tf.numpy_function(lambda: Path(path).write_text("here"), [], tf.int64)


def vocabulary(path: str) -> Any:
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        -1,
    )
    return table.lookup(tf.constant("a"))


def in_a_function(path: str) -> Any:
    @tf.function
    def function() -> Any:
        tf.io.write_file(path, "here")
        return tf.constant(1)

    return function()


def in_a_branch(path: str) -> Any:
    taken = tf.constant(True)
    return tf.cond(taken, lambda: tf.strings.length(tf.io.read_file(path)), lambda: 0)


def sampler(path: str) -> Any:
    Path(path).with_name("words").write_text("a,1\nb,2\n")
    return tf.random.fixed_unigram_candidate_sampler(
        tf.constant([[0]], tf.int64), 1, 1, True, 2, vocab_file=str(Path(path).with_name("words"))
    ).sampled_candidates


def abort(_path: str) -> Any:
    return tf.raw_ops.Abort(error_msg="bye", exit_without_error=False)


KINDS: list[Callable[[str], Any]] = [
    write, read, match, print_to_file, save, restore, summary, records, cache, text_reader, python, vocabulary,
    in_a_function, in_a_branch, sampler, abort,
]  # fmt: skip


def build(kind: Callable[[str], Any], path: Path) -> None:
    """Builds ``y = x @ w``, which runs an op of a kind before."""
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
    product = tf.matmul(x, w)
    with tf.control_dependencies([kind(str(path))]):
        tf.identity(product, name="y")


def checkpoint(folder: Path, kind: Callable[[str], Any]) -> Path:
    with tf.Graph().as_default(), v1.Session() as session:
        build(kind, folder / "canary")
        session.run(v1.global_variables_initializer())
        return Path(v1.train.Saver([v1.global_variables()[-1]]).save(session, str(folder / "model"), global_step=1))


def frozen(folder: Path, kind: Callable[[str], Any]) -> Path:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        product = tf.matmul(x, tf.ones([2, 1]))
        with tf.control_dependencies([kind(str(folder / "canary"))]):
            tf.identity(product, name="y")
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "model.pb"


def saved_model(folder: Path, kind: Callable[[str], Any]) -> Path:
    with tf.Graph().as_default(), v1.Session() as session:
        build(kind, folder / "canary")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder / "saved"))
        graph = session.graph
        x, y = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("y:0")
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return folder / "saved"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [frozen, checkpoint, saved_model], ids=lambda make: make.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_does_more_than_compute_is_refused_by_name_before_it_runs(tmp_path, kind, make) -> None:
    file = make(tmp_path, kind)
    with pytest.raises(RequestError, match=r"by itself|does more than compute: '.+' \(\w+\) \w+") as raised:
        open_predictor(file, ["y"])
    assert str(file).partition("model-1")[0] in str(raised.value)
    assert not (tmp_path / "canary").exists()


@pytest.mark.filterwarnings("ignore")
def test_who_trusts_a_file_runs_it(tmp_path) -> None:
    for make in (frozen, checkpoint, saved_model):
        with open_predictor(make(tmp_path, write), ["y"], trust=True) as predictor:
            assert predictor(x=X)["y"].tolist() == [[3.0]]
        (tmp_path / "canary").unlink()


@pytest.mark.parametrize("export", [freeze_checkpoint, export_checkpoint])
def test_an_export_does_not_copy_it(tmp_path, monkeypatch, export) -> None:
    prefix = checkpoint(tmp_path, write)
    with pytest.raises(RequestError, match=r"'WriteFile' \(WriteFile\) writes files"):
        export(prefix, outputs=["y"])
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "export").exists()
    made = export(prefix, outputs=["y"], trust=True)
    (tmp_path / "canary").unlink()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    with pytest.raises(RequestError, match="does more than compute"):
        open_predictor(made)


def test_a_trunk_does_not_hold_it(tmp_path) -> None:
    file = frozen(tmp_path, write)
    with pytest.raises(RequestError, match=r"trunk\.path: .*'WriteFile' \(WriteFile\) writes files"):
        read_trunk(file, ["y"])
    assert read_trunk(file, ["y"], trust=True).outputs == ("y",)


def test_what_restores_a_checkpoint_runs_nothing_else(tmp_path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.matmul(x, v1.get_variable("w", [2, 1], initializer=v1.ones_initializer()), name="y")
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        prefix = saver.save(session, str(tmp_path / "model"), global_step=1)
        write(str(tmp_path / "canary"))
    meta = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
    node = meta.graph_def.node.add(name="canary", op="WriteFile")
    for name, text in (("path", str(tmp_path / "canary")), ("text", "here")):
        constant = meta.graph_def.node.add(name=name, op="Const")
        constant.attr["dtype"].type = tf.string.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))
        node.input.append(name)
    next(each for each in meta.graph_def.node if each.name == meta.saver_def.restore_op_name).input.append("^canary")
    Path(f"{prefix}.meta").write_bytes(meta.SerializeToString())
    with open_predictor(prefix, ["y"]) as predictor:  # does not run the Saver of the file
        assert predictor(x=X)["y"].tolist() == [[3.0]]
    with pytest.raises(RequestError, match=r"model-1.meta .*'canary' \(WriteFile\) writes files"):
        freeze_checkpoint(prefix, outputs=["y"])
    assert not (tmp_path / "canary").exists()


def test_a_saved_model_reads_its_own_assets_and_variables(tmp_path) -> None:
    class Words(tf.Module):
        def __init__(self) -> None:
            file = tmp_path / "words.txt"
            file.write_text("a\nb\n")
            self.words = tf.lookup.StaticVocabularyTable(
                tf.lookup.TextFileInitializer(
                    str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                1,
            )  # fmt: skip
            self.values = tf.Variable([1.0, 2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
        def value(self, word: Any) -> Any:
            return {"value": tf.gather(self.values, self.words.lookup(word))}

    words = Words()
    tf.saved_model.save(words, str(tmp_path / "saved"), signatures=words.value)
    (tmp_path / "words.txt").unlink()
    with open_predictor(tmp_path / "saved") as predictor:
        assert predictor(word=["b", "other"])["value"].tolist() == [2.0, 3.0]


def test_an_op_that_tensorflow_does_not_know_is_named(tmp_path) -> None:
    file = frozen(tmp_path, lambda _path: tf.no_op())
    graph_def = read_graph(file)
    graph_def.node.add(name="custom", op="MyCustomOp", input=["y"])
    file.write_bytes(graph_def.SerializeToString())
    with pytest.raises(RequestError, match=r"'custom' \(MyCustomOp\) is not known"):
        open_predictor(file)
    with pytest.raises(RequestError, match=f"needs the op 'MyCustomOp', which TensorFlow {re.escape(tf.__version__)}"):
        open_predictor(file, ["custom"], trust=True)


@pytest.mark.parametrize("sizes", [[1 << 20, 1 << 30], [-3], [1 << 62, 1 << 62]])
def test_a_few_bytes_cannot_declare_more_than_the_memory(sizes) -> None:
    graph_def = GraphDef()
    value = graph_def.node.add(name="huge", op="Const").attr["value"].tensor
    for size in sizes:
        value.tensor_shape.dim.add(size=size)
    value.float_val.append(1.0)
    with pytest.raises(RequestError, match="the constant 'huge' declares the shape"):
        check_declared_sizes("a.pb", graph_def)


def test_the_list_has_only_ops_that_exist_and_none_that_reaches_out() -> None:
    there = set(dir(tf.raw_ops))
    hidden = {name for name in allowed_ops() if name.startswith("_") or name not in there}
    assert len(hidden) < 200
    reaches_out = re.compile(
        r"File|PyFunc|Rpc|^(Save|Restore|Read(File|er))|Snapshot|Cache|RemoteCall|^Send$|^Recv$|Abort|Record|LMDB|Sql"
        r"|DataService|Collective|^Write|SummaryWriter|Debug|^Copy|CustomCall|TPU|Checkpoint"
    )
    only_names = {"ShardedFilename", "ShardedFilespec", "BoostedTreesExampleDebugOutputs"}
    assert {name for name in allowed_ops() if reaches_out.search(name)} == only_names


def test_no_attribute_of_an_op_on_the_list_is_a_path_that_is_not_looked_at() -> None:
    path = re.compile(r"file|path|(^|_)dir$|directory|url|address|server|output_stream")
    ops = {name: getattr(tf.raw_ops, name) for name in allowed_ops() if hasattr(tf.raw_ops, name)}
    found = {
        (name, each)
        for name, op in ops.items()
        for each in inspect.signature(op).parameters
        if path.search(each) and each not in ("is_files", "top_paths")
    }
    assert found == {("FixedUnigramCandidateSampler", "vocab_file"), ("PrintV2", "output_stream")}


def test_ops_of_a_saver_may_be_there_as_long_as_they_do_not_run() -> None:
    graph_def = GraphDef()
    for name, op in (("x", "Placeholder"), ("y", "Relu"), ("save", "SaveV2"), ("restore", "RestoreV2")):
        graph_def.node.add(name=name, op=op)
    assert forbidden_ops(graph_def, ["y"]) == []
    assert [each.name for each in forbidden_ops(graph_def)] == ["save", "restore"]
