"""Training from the command line in a subprocess: help, errors, output and files of a run."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.processes import ROOT, python
from trainer.cli.train import conf_directory

EXPERIMENTS = sorted(path.stem for path in (conf_directory() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("args", [["--help"], ["+experiment=linear", "--cfg", "job"], ["--hydra-help"]])
def test_answers_without_tensorflow(trainer, no_tensorflow, args) -> None:
    done = trainer(*args, **no_tensorflow)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_is_of_this_program(trainer) -> None:
    text = trainer("--help").stdout
    assert text.count("python -m trainer ") >= 6
    for word in ["experiment: " + ", ".join(EXPERIMENTS), "optimizer: ", "Exit codes", "resume="]:
        assert word in text


# Arguments, and a part of the error that names the mistake and the remedy.
REFUSED_WITHOUT_TENSORFLOW = [
    ([], "+experiment=NAME, one of: " + ", ".join(EXPERIMENTS)),
    (["+experiment=liner"], "did you mean linear"),
    (["+experiment=linear", "optimizer=adan"], "did you mean adam"),
    (["+experiment=linear", "loop.epoch=3"], "did you mean loop.epochs"),
    (["+experiment=linear", "loop.epochs=abc"], "loop.epochs ('abc') must be a whole number"),
    (["+experiment=linear", "loop.epochs=0"], "loop.epochs (0) must be at least 1"),
    (["+experiment=linear", "+loop.epochs=4"], "loop.epochs=VALUE"),
    (["+experiment=linear", "loop.steps_per_call=fast"], "must be auto or a whole number"),
    (["+experiment=linear", "loop.compile=xlaa"], "did you mean xla"),
    (["+experiment=linear", "seed=-1"], "seed (-1) must be at least 0"),
    (["+experiment=linear", "optimizer.learning_rate=abc"], "optimizer.learning_rate ('abc') must be a number"),
    (["+experiment=linear", "optimizer.learning_rate=-1"], "greater than 0"),
    (["+experiment=linear", "data.batch_size=0"], "data.batch_size (0) must be at least 1"),
    (
        ["+experiment=linear", "data.batch_size=5000"],
        "larger than the data (3,200 training examples); set it to at most 3200 [data.batch_size]",
    ),
    (["+experiment=linear", "data.validation=1.5"], "less than 1"),
    (["+experiment=linear", "data=npz"], "data.examples.path must be set"),
    (["+experiment=linear", "data=npz", "data.examples.path=no.npz"], "there is no file no.npz"),
    (["+experiment=linear", "~model._target_"], "model has no _target_"),
    (["+experiment=linear", "~callbacks.frezee"], "did you mean callbacks.freeze"),
    (["+experiment=linear", "callbacks.checkpoint.max_to_kep=3"], "did you mean callbacks.checkpoint.max_to_keep"),
    (["+experiment=linear", "callbacks.checkpoint.max_to_keep=abc"], "max_to_keep ('abc') must be a whole number"),
    (["+experiment=linear", "callbacks.checkpoint.every_n_epochs=0"], "every_n_epochs (0) must be at least 1"),
    (["+experiment=linear", "callbacks.checkpoint.every_n_secs=-1"], "every_n_secs (-1) must be a finite number"),
    (["+experiment=linear", "callbacks.checkpoint.write_meta_graph=frist"], "did you mean first"),
    (["+experiment=linear", "callbacks.checkpoint.prefix=a/b"], "prefix ('a/b')"),
    (["+experiment=linear", "+callbacks.checkpoint.max_keep=1"], "did you mean callbacks.checkpoint.max_to_keep"),
    (["+experiment=linear", "callbacks.saved_model.tags=gpu"], "must be a list of names, such as [gpu]"),
    (["+experiment=linear", "callbacks.freeze.which=bset"], "did you mean best"),
    (["+experiment=linear", "callbacks.freeze.which=best"], "needs callbacks.checkpoint.keep_best=1"),
    (["+experiment=linear", "run.name=../x"], "run.name ('../x') names a directory"),
    (["+experiment=linear", "resume=latst"], "did you mean latest"),
    (["+experiment=linear", "resume=latest"], "there is no run named 'linear'"),
    (["+experiment=linear", "warm_start.path=no/run"], "warm_start.path: there is no directory no"),
    (["+experiment=linear", "warm_start.variables=[w]"], "warm_start.path is not; add warm_start.path=PATH"),
    (["+experiment=linear", "warm_start.path=x", "warm_start.variables=slope"], "such as [slope]"),
    (["+experiment=linear", "warm_start.pat=x"], "did you mean warm_start.path"),
    (["+experiment=digits_mlp", "data.examples.classes=[10]"], "data.examples: classes ([10]) must be digits"),
    (["+experiment=digits_mlp", "data.max_examples=9"], "larger than the data (9 training examples)"),
    (["+experiment=linear", "data.examples._target_=trainer.data.synthetic.lin"], "did you mean line"),
    (["+experiment=linear", "+data.examples.sloppe=4"], "did you mean data.examples.slope?"),
    (["+experiment=linear", "optimizer.learningrate=0.1"], "did you mean optimizer.learning_rate?"),
    (["+experiment=linear", "+optimizer.learningrate=0.1"], "did you mean optimizer.learning_rate?"),
    (["+experiment=linear", "data.batchsize=8"], "did you mean data.batch_size?"),
    (["+experiment=linear", "+data.batchsize=8"], "did you mean data.batch_size?"),
    (["+experiment=linear", "data.max_example=8"], "did you mean +data.max_examples"),
    (["+experiment=digits_mlp", "+model.sizess=[64, 10]"], "did you mean model.sizes?"),
    (["+experiment=linear", "optimizer.nesterov=true"], "added with +optimizer.nesterov=VALUE"),
    (["+experiment=linear", "data.held_out=0.1"], "there is no key data.held_out; it is data.validation now"),
    (["+experiment=linear", "+data.held_out=0.1"], "there is no key data.held_out; it is data.validation now"),
    (["+experiment=linear", "+data.most_examples=9"], "it is data.max_examples now"),
    (["+experiment=linear", "model=null"], "model cannot be null"),
    (["+experiment=linear", "callbacks=null"], "callbacks cannot be null"),
    (["+experiment=linear", "seed=null"], "seed cannot be null"),
    (["+experiment=linear", "loop=null"], "loop cannot be null"),
    (["+experiment=linear", "+model=mlp"], "without the + (model=mlp)"),
    (["+experiment=linear", "callbacks.early_stopping.patience=3"], "add it with +callbacks=early_stopping"),
    (["+experiment=linear", "callbacks=early_stopping"], "add early_stopping to them with +callbacks=early_stopping"),
    (["+experiment=linear", "+callbacks@callbacks.early_stopping=early_stopping"], "add it with +callbacks=early_st"),
    (["+experiment=linear", "+callbacks=early_stoping"], "did you mean early_stopping"),
    (["+experiment=linear", "loop.epochs=null"], "loop.epochs cannot be null; give it a value"),
    (["+experiment=linear", "+loop.epoch=1"], "there is no key loop.epoch; did you mean loop.epochs?"),
    (
        ["+experiment=linear", "+debug=fast"],
        "nothing reads the key debug; values of your own go under vars: +vars.debug",
    ),
    (["+experiments=linear"], "there is no group experiments; did you mean +experiment=NAME?"),
    (["+experiment=linear", "-m", "+run.nam=a,b"], "there is no key run.nam; did you mean run.name?"),
    (["+experiment=linear", "seed=${vars.x}"], "seed refers to ${vars.x}, and there is no such key"),
    (["+experiment=linear", "seed=${seed}"], "seed: Recursive interpolation detected"),
    (["+experiment=linear", "run.dir="], "run.dir is empty; give a path"),
    (["+experiment=linear", "~seed"], "seed cannot be left out"),
    (["+experiment=linear", "callbacks={}"], "'callbacks=[]' leaves all out"),
    (["+experiment=linear", "callbacks.checkpoint=null"], "leave the callback out with '~callbacks.checkpoint'"),
    (
        ["+experiment=linear", "warm_start=null", "+warm_start.path=x"],
        "warm_start is null, so that path cannot be added",
    ),
    (["+experiment=linear", "data=arrays", "data.examples=mydata.arrays"], "set data.examples._target_=mydata.arrays"),
    (["+experiment=linear", "+data.x=1"], "trainer.data.arrays.InMemory has no argument 'x'"),
    (["+experiment=linear", "data.shuffle=yes"], "data.shuffle ('yes') must be true or false"),
    (["+experiment=linear", "run.dir=gs://bucket/x"], "run.dir (gs://bucket/x) is not on this machine"),
    (["+experiment=linear", "-m", "run.root=s3://bucket/x", "seed=1,2"], "run.root (s3://bucket/x) is not on this"),
    (["+experiment=linear", "data=npz", "data.examples.path=hdfs://a/b"], "data.examples.path (hdfs://a/b) is not on"),
    (["+experiment=linear", "--config-dir", "no"], "no does not exist"),
    (["+experiment=linear", "--cfg", "jb"], "did you mean job"),
    (["checkpoint", "list"], "did you mean checkpoints"),
]


@pytest.mark.parametrize(("args", "answer"), REFUSED_WITHOUT_TENSORFLOW, ids=lambda value: str(value)[:50])
def test_refused_without_tensorflow(trainer, no_tensorflow, tmp_path, args, answer) -> None:
    done = trainer(*args, **no_tensorflow)
    _check_refusal(done, answer, tmp_path)


REFUSED_BY_THE_GRAPH = [
    (["callbacks.freeze.outputs=[opp]"], "did you mean op? [callbacks.freeze.outputs]"),
    (["callbacks.freeze.outputs=[]"], "outputs is empty"),
    (["callbacks.freeze.outputs=[train_step]"], "belongs to training"),
    (["callbacks.freeze.outputs=[op:1]"], "only output 0"),
    (["callbacks.checkpoint.var_list=[slop]"], "did you mean slope?"),
    (["model=mlp"], "Mlp cannot be called with x float32 [batch, 1]: KeyError: 'image'"),
    (
        ["model=on_trunk", "model.trunk.path=no.pb"],
        "trunk.path: there is no no.pb (a frozen .pb, a run with one, or a directory of runs) [model.trunk.path]",
    ),
    (["trainable=[slop]"], "trainable: 'slop' matches no variable; did you mean slope?"),
    (["model._target_=trainer.models.linear.Linea"], "did you mean Linear?"),
    (["optimizer._target_=builtins.dict"], "AdamOptimizer) [optimizer._target_]"),
    (["callbacks.checkpoint.keep_best=1", "callbacks.checkpoint.monitor=los"], "did you mean loss?"),
]


@pytest.mark.parametrize(("args", "answer"), REFUSED_BY_THE_GRAPH, ids=lambda value: str(value)[:50])
def test_refused_before_anything_is_created(trainer, tmp_path, args, answer) -> None:
    _check_refusal(trainer("+experiment=linear", *args), answer, tmp_path)


def _check_refusal(done: subprocess.CompletedProcess[str], answer: str, cwd: Path) -> None:
    assert done.returncode == 2, done.stderr
    assert answer in done.stderr
    assert len(done.stderr.splitlines()) < 10
    assert "Traceback" not in done.stderr
    assert list(cwd.iterdir()) == []


def test_linear_leaves_exactly_the_documented_tree(linear_run) -> None:
    run, _ = linear_run
    suffixes = ("data-00000-of-00001", "index", "json", "meta")
    checkpoints = {f"checkpoints/model-{n}.{suffix}" for n in (270, 280, 290, 300) for suffix in suffixes}
    saved_model = {
        "saved_model.pb",
        "assets.extra/manifest.json",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    assert {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} == {
        "run.json",
        "config.yaml",
        "metrics.jsonl",
        "checkpoints/checkpoint",
        "checkpoints/model.meta",
        "export/frozen/model.pb",
        "export/frozen/model.json",
        *checkpoints,
        *(f"export/saved_model/300/{name}" for name in saved_model),
    }
    assert (run / "checkpoints/model-300.meta").samefile(run / "checkpoints/model.meta")


def test_linear_prints_where_it_writes_and_what_it_left_and_nothing_else(linear_run) -> None:
    run, done = linear_run
    lines = done.stdout.splitlines()
    assert lines[0] == f"linear: 300 epochs of 100 steps in {run.relative_to(run.parents[2])}, new run"
    assert re.match(r"epoch \d+/300: loss [\d.e-]+, learning_rate 0.05, [\d,.]+ steps/s", lines[1])
    assert lines[-1].split() == ["export/saved_model/300/", *lines[-1].split()[1:]]
    assert done.stderr == ""
    assert not set("\r\x1b") & set(done.stdout)


def test_linear_says_what_happened_in_run_json_and_metrics(linear_run) -> None:
    run, _ = linear_run
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    assert (facts["epoch"], facts["global_step"]) == (300, 30_000)
    assert facts["newest_checkpoint"] == "checkpoints/model-300"
    assert facts["exports"] == ["export/frozen/model.pb", "export/saved_model/300"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 301))
    assert [line["global_step"] for line in lines] == [100 * epoch for epoch in range(1, 301)]
    assert lines[-1]["loss"] < 0.011
    assert (run / "config.yaml").read_text().startswith("# python -m trainer +experiment=linear\n")


@pytest.mark.parametrize(("experiment", "least"), [("digits_mlp", 0.96), ("digits_cnn", 0.98)])
def test_digits_reach_their_validation_accuracy(trainer, tmp_path, experiment, least) -> None:
    done = trainer(f"+experiment={experiment}")
    assert done.returncode == 0, done.stderr
    (metrics,) = tmp_path.rglob("metrics.jsonl")
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert all("val_accuracy" in line for line in lines)
    assert lines[-1]["val_accuracy"] >= least


def test_a_generator_reaches_all_corners(trainer, tmp_path) -> None:
    done = trainer("+experiment=gan")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("model.pb")
    code = np.random.default_rng(7).normal(size=(1000, 2)).astype(np.float32)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")
        sample = session.run("sample:0", {"code:0": code})
    angle = 2 * np.pi / 8 * np.arange(8)
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    distance = np.linalg.norm(sample[:, None] - corners, axis=2)
    near = distance.min(axis=1) < 0.25
    assert near.mean() > 0.7
    assert np.bincount(distance.argmin(axis=1)[near], minlength=8).min() > 10


def test_wide_and_deep_learns_more_than_the_most_frequent_answer(trainer, tmp_path) -> None:
    done = trainer("+experiment=wide_and_deep")
    assert done.returncode == 0, done.stderr
    (metrics,) = tmp_path.rglob("metrics.jsonl")
    assert json.loads(metrics.read_text().splitlines()[-1])["val_accuracy"] >= 0.73


def test_experiment_without_the_plus_works(trainer) -> None:
    assert trainer("experiment=linear", "loop.epochs=1").returncode == 0


def test_a_working_directory_with_its_own_conf_does_not_shadow_ours(trainer, tmp_path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("mine: true\n")
    assert trainer("+experiment=linear", "loop.epochs=1").returncode == 0


def test_a_sweep_makes_a_directory_for_each_job_and_names_the_failed_one(trainer, tmp_path) -> None:
    done = trainer("-m", "+experiment=linear", "loop.epochs=1", "data.batch_size=32,9999,64")
    assert done.returncode == 1
    assert "1 of 3 jobs failed" in done.stdout
    assert "data.batch_size=9999" in done.stdout
    runs = [json.loads(path.read_text())["status"] for path in (tmp_path / "outputs/linear").glob("*/run.json")]
    assert runs == ["finished", "finished"]


def test_resume_continues_in_the_same_directory(trainer, tmp_path) -> None:
    common = ["+experiment=linear", "callbacks.checkpoint.every_n_epochs=2"]
    assert trainer(*common, "loop.epochs=4").returncode == 0
    (run,) = (tmp_path / "outputs/linear").iterdir()
    again = trainer(*common, "loop.epochs=6", "resume=latest")
    assert "resumed from model-4 (epoch 4, step 400)" in again.stdout
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    done = trainer(*common, "loop.epochs=6", "resume=latest")
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert [path.name for path in (tmp_path / "outputs/linear").iterdir()] == [run.name]
    assert (run / "config-2.yaml").exists()
    epochs = [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5, 6]


def test_a_used_directory_is_refused_without_resume(trainer, tmp_path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("mine")
    done = trainer("+experiment=linear", "run.dir=used")
    assert (done.returncode, "choose another directory [run.dir]" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["file"]


def test_a_bar_on_a_terminal(tmp_path) -> None:
    """tqdm draws where standard error is a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", "+experiment=linear", "loop.epochs=20"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            block = os.read(leader, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(leader)
    assert process.wait() == 0
    assert b"epoch 20/20" in shown
    assert b"loss" in shown
    assert b"steps/s" in shown


def test_an_answer_from_the_config_alone_takes_less_than_a_second(tmp_path) -> None:
    began = time.perf_counter()
    assert python("-m", "trainer", "+experiment=liner", cwd=tmp_path).returncode == 2
    assert time.perf_counter() - began < 3.0  # under a second by itself; room for a busy machine


def test_a_finished_run_is_not_finished_with_other_settings(trainer, tmp_path) -> None:
    command = ("+experiment=linear", "loop.epochs=1", f"run.dir={tmp_path / 'run'}", "resume=auto")
    assert trainer(*command).returncode == 0
    done = trainer(*command, "seed=3")
    assert (done.returncode, "seed: 0 -> 3" in done.stderr) == (2, True)
    done = trainer(*command)
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True)


def test_a_run_without_a_saver_says_so(trainer) -> None:
    done = trainer("+experiment=linear", "loop.epochs=1", "~callbacks.checkpoint")
    assert (done.returncode, "no callback saves checkpoints" in done.stdout) == (0, True)
