"""Fuzzing of what reads files of others, by atheris; not a part of the suite.

    python -m tests.fuzz --secs 300          each target in turn, in a process of its own
    python -m tests.fuzz --secs 300 index    one target

A target may end in an error of this project, and in nothing else: no other exception, no crash, no more than 20 seconds
or 2 GB for an input. What breaks that is kept in the working directory, as libFuzzer names it. Needs atheris:
``pip install '.[fuzz]'``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError

from trainer.checkpoints.meta_reader import read_meta, trainable_names
from trainer.checkpoints.reading import bundle
from trainer.checkpoints.reading.bundle import read_bundle
from trainer.checkpoints.reading.object_names import names_by_key
from trainer.checkpoints.record import CommitRecord, read_record
from trainer.checkpoints.saver_in_meta import restored_tables, restored_tensors
from trainer.checkpoints.stored_checkpoint import TABLE_MAGIC, stored_checkpoints
from trainer.errors import TrainerError
from trainer.graphdef.averages import average_names
from trainer.graphdef.graph_file import read_manifest
from trainer.graphdef.protos import GraphDef, MetaGraphDef, NodeDef, SavedModel
from trainer.graphdef.safety import check_declared_sizes, forbidden_ops
from trainer.inspection.static import read_model
from trainer.inspection.summary import summarize

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
SECS_OF_ONE, MB_OF_ONE = 20, 2048


def graph(content: bytes) -> None:
    """A ``.pb``."""
    _summarized(_file("model.pb", content))


def text(content: bytes) -> None:
    """A ``.pbtxt``."""
    _summarized(_file("model.pbtxt", content))


def meta(content: bytes) -> None:
    """A ``.meta``."""
    _summarized(_file("model.meta", content))


def saved_model(content: bytes) -> None:
    """The ``saved_model.pb`` of a SavedModel."""
    _file("saved/saved_model.pb", content)
    _summarized(FOLDER / "saved")


def safety(content: bytes) -> None:
    """A GraphDef, held against the list of allowed ops."""
    try:
        message = GraphDef.FromString(content)
    except DecodeError:
        return
    check_declared_sizes("model", message)
    forbidden_ops(message)


def index(content: bytes) -> None:
    """An ``.index``, and after its end its data."""
    end = content.find(TABLE_MAGIC) + len(TABLE_MAGIC)
    _file("model.index", content[:end] if TABLE_MAGIC in content else content)
    _file("model.data-00000-of-00001", content[end:])
    found = read_bundle(FOLDER / "model")
    for name in filter(found.can_read, found.entries):
        found.value(name)


def restore(content: bytes) -> None:
    """What the Saver of a ``.meta`` restores."""
    message = read_meta(_file("model.meta", content))
    restored_tensors(message)
    restored_tables(message)
    trainable_names(message)
    average_names(message)


def objects(content: bytes) -> None:
    """The description of objects in a checkpoint."""
    names_by_key(content, ["model/kernel/.ATTRIBUTES/VARIABLE_VALUE", "_CHECKPOINTABLE_OBJECT_GRAPH"])


def record(content: bytes) -> None:
    """A commit record, alone and in a directory of checkpoints."""
    file = _file("checkpoints/model-1.json", content)
    stored_checkpoints(file.parent)
    read_record(file)


def manifest(content: bytes) -> None:
    """A manifest beside a graph."""
    file = _file("net/model.pb", SEEDS["graph"])
    _file("net/model.json", content)
    read_manifest(file)
    _summarized(file)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (graph, text, meta, saved_model, safety, index, objects, restore, record, manifest)
}


def _file(name: str, content: bytes) -> Path:
    path = FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _summarized(path: Path) -> None:
    summarize(read_model(path)).to_json()


def _seeds() -> dict[str, bytes]:
    """Returns a whole input for each target, made without TensorFlow."""
    nodes = [NodeDef(name="x", op="Placeholder"), NodeDef(name="w", op="VariableV2")]
    nodes += [NodeDef(name="y", op="MatMul", input=["x", "w"]), NodeDef(name="z", op="Softmax", input=["y", "^x"])]
    whole = GraphDef(node=nodes)
    whole.node[0].attr["dtype"].type = 1
    whole.node[0].attr["shape"].shape.dim.add(size=-1)
    whole.node[1].attr["shape"].shape.dim.add(size=3)
    function = whole.library.function.add()
    function.signature.name = "f"
    function.node_def.add(name="inner", op="WriteFile", input=["a", "b"])
    graph_of_meta = MetaGraphDef(graph_def=whole)
    graph_of_meta.meta_info_def.tags.append("serve")
    signature = graph_of_meta.signature_def["serving_default"]
    signature.inputs["x"].name, signature.outputs["z"].name = "x:0", "z:0"
    meta_with_saver = MetaGraphDef(graph_def=whole)
    added = [NodeDef(name="save/names", op="Const"), NodeDef(name="save/slices", op="Const")]
    for each in added:
        each.attr["value"].tensor.string_val.append(b"w")
    added += [NodeDef(name="save/restore", op="RestoreV2", input=["save/prefix", "save/names", "save/slices"])]
    added[-1].attr["dtypes"].list.type.append(1)
    added += [NodeDef(name="save/copy", op="Identity", input=["save/restore"])]
    added += [NodeDef(name="save/assign", op="Assign", input=["w", "save/copy"])]
    meta_with_saver.graph_def.node.extend(added)
    meta_with_saver.saver_def.restore_op_name = "save/assign"
    meta_with_saver.collection_def["trainable_variables"].bytes_list.value.append(b"\x0a\x03w:0")
    averages = b'{"variable": "w", "average": "w_average", "count": null, "slice_spec": ""}'
    meta_with_saver.collection_def["averages_of_variables"].bytes_list.value.append(averages)
    model = SavedModel()
    model.meta_graphs.add().CopyFrom(graph_of_meta)
    made = CommitRecord("model-1", 1, 1, 10, {"loss": 0.5}, {}, True, 1.0, "2026-01-01T00:00:00+00:00")
    described = {"x": {"tensor": "x:0", "dtype": "float32", "shape": [None]}}
    return {
        "graph": whole.SerializeToString(),
        "text": str(whole).encode(),
        "meta": graph_of_meta.SerializeToString(),
        "saved_model": model.SerializeToString(),
        "safety": whole.SerializeToString(),
        "index": b"",
        "restore": meta_with_saver.SerializeToString(),
        "objects": b"\x0a\x04\x0a\x02\x08\x01",
        "record": json.dumps(made.to_json()).encode(),
        "manifest": json.dumps({"file": "model.pb", "sha256": "0", "inputs": described, "outputs": described}).encode(),
    }


SEEDS = _seeds()


class AnyChecksum:
    """Checksum that is equal to every other."""

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None


def _fuzz(target: str, secs: int) -> None:
    """Fuzzes one target in this process, which libFuzzer ends."""
    import atheris

    atheris.instrument_all()

    def one(content: bytes) -> None:
        try:
            TARGETS[target](content)
        except TrainerError:
            return

    # Otherwise each change would stop at a checksum, and nothing behind it be tried.
    bundle.masked = lambda _: AnyChecksum()
    corpus = Path(tempfile.mkdtemp())
    (corpus / "seed").write_bytes(_index_seed() if target == "index" else SEEDS[target])
    limits = [f"-max_total_time={secs}", f"-timeout={SECS_OF_ONE}", f"-rss_limit_mb={MB_OF_ONE}", "-max_len=20000"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
    atheris.Fuzz()


def _index_seed() -> bytes:
    """Returns a small checkpoint, which only TensorFlow writes."""
    program = (
        "import sys, tensorflow as tf; tf.raw_ops.SaveV2(prefix=sys.argv[1], tensor_names=['w', 's'], "
        "shape_and_slices=['', ''], tensors=[tf.ones([4]), tf.constant(['a', 'bc'])])"
    )
    prefix = Path(tempfile.mkdtemp()) / "model"
    subprocess.run([sys.executable, "-c", program, str(prefix)], check=True, capture_output=True)
    return prefix.with_name("model.index").read_bytes() + prefix.with_name("model.data-00000-of-00001").read_bytes()


def main() -> int:
    """Runs the targets and reports what each has found; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("--secs", type=int, default=60, help="seconds for each target (default: %(default)s)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        import atheris  # noqa: F401 - said here, and not in each process
    except ImportError:
        sys.stderr.write("error: fuzzing needs atheris: pip install '.[fuzz]'\n")
        return 2
    if chosen.here:
        _fuzz(chosen.target, chosen.secs)
    failed = 0
    for name in [chosen.target] if chosen.target else TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", name, "--secs", str(chosen.secs), "--here"]
        done = subprocess.run(command, capture_output=True, text=True)
        last = [line for line in done.stderr.splitlines() if line.startswith(("#", "Done"))][-1:]
        sys.stdout.write(f"{name}: {'found something' if done.returncode else 'nothing found'}; {''.join(last)}\n")
        if done.returncode:
            failed += 1
            sys.stdout.write(done.stdout[-2000:] + done.stderr[-3000:])
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
