"""list, show, diff, verify: on a run, on files of a plain Saver, on damaged ones."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import variables
from tests.processes import python
from trainer.checkpoints.analysis.compare import compare
from trainer.checkpoints.analysis.inspect import problems_of, variables_of
from trainer.checkpoints.analysis.optimizer_slots import optimizer_variables
from trainer.checkpoints.catalog import find_checkpoint, read_catalog
from trainer.errors import CheckpointError, RequestError

v1 = tf.compat.v1


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.unlink()  # .meta is a hard link that others share
    path.write_bytes(data)


def test_help_and_list_take_under_a_second_and_no_tensorflow(no_tensorflow, trained, tmp_path) -> None:
    for arguments in (["--help"], ["freeze", "--help"], ["list", str(trained)]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = python("-m", "trainer.cli.checkpoints", *arguments, cwd=tmp_path, **no_tensorflow)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        # Seconds of the processor, which a busy machine does not change.
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("", "model-4"),
        ("/checkpoints", "model-4"),
        ("@last", "model-4"),
        ("@best", "model-1"),
        ("@2", "model-2"),
        ("@model-3", "model-3"),
        ("/checkpoints@3", "model-3"),
        ("/checkpoints/model-3", "model-3"),
        ("/checkpoints/model-3.index", "model-3"),
        ("/checkpoints/model-3.data-00000-of-00001", "model-3"),
    ],
)
def test_a_reference_to_a_checkpoint(trained, reference, name) -> None:
    assert find_checkpoint(f"{trained}{reference}").prefix == trained / "checkpoints" / name


def test_the_best_by_another_metric(trained) -> None:
    assert find_checkpoint(f"{trained}@best", "loss", "min").name == "model-4"


def test_a_relative_reference_finds_the_run(trained, monkeypatch) -> None:
    monkeypatch.chdir(trained / "checkpoints")
    catalog = read_catalog(Path())
    assert catalog.run is not None
    assert catalog.run.read()["name"] == "test"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["lst", "RUN"], "did you mean list?"),
        (["list", "RUN", "--verfy"], "did you mean --verify?"),
        (["list", "RUN-x"], "did you mean run?"),
        (["list", "RUN/export"], "holds no checkpoint"),
        (["list"], "required: directory"),
        (["show", "RUN@5"], "has no checkpoint '5'"),
        (["show", "RUN/checkpoints/modl-3"], "did you mean model-3"),
        (["show", "RUN@best", "--monitor", "eror"], "did you mean error?"),
        (["show", "RUN@best", "--mode", "mx"], "invalid choice: 'mx'"),
        (["diff", "RUN", "RUN@mode-3"], "did you mean model-3"),
        (["prune", "RUN", "--keep", "0"], "keep (0) must be at least 1"),
        (["prune", "RUN", "--keep", "1", "--keep-best", "1", "--monitor", "lss"], "did you mean loss?"),
        (["pin", "RUN", "9"], "has no checkpoint 9; there are: 1, 2, 3, 4"),
        (["unpin", "RUN", "2"], "2 is not pinned"),
        (["average", "RUN", "--to", "mean"], "two checkpoints or more"),
        (["average", "RUN@1", "RUN@2", "--to", "RUN/checkpoints/model-3"], "is there already"),
        (["average", "RUN@1", "RUN@2", "--to", "RUN/checkpoints/model-9"], "would count as a checkpoint of the run"),
        (["freeze", "RUN", "--outputs", "opp"], "did you mean op?"),
        (["freeze", "RUN", "--outputs", "train_step"], "belongs to training"),
        (["freeze", "RUN", "-o", "model.onnx"], "must end in .pb"),
        (["freeze", "RUN", "-o", "RUN/checkpoints/model-3.pb"], "belongs to the checkpoint of that name"),
        (["freeze", "RUN", "--input", "z=RUN/run.json"], "is no .npy file"),
        (["export", "RUN", "-o", "RUN/busy"], "is no SavedModel"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_wrong_request(tool, copy, arguments, answer) -> None:
    (copy / "busy/4").mkdir(parents=True)
    before = sorted(copy.rglob("*"))
    code, text = tool(*(each.replace("RUN", str(copy)) for each in arguments))
    assert code == 2, text
    assert answer in text
    assert len(text.splitlines()) < 10
    assert sorted(copy.rglob("*")) == before


def test_list_shows_what_the_records_say(tool, tool_json, trained) -> None:
    code, data = tool_json("list", trained)
    assert code == 0
    assert [each["number"] for each in data["checkpoints"]] == [1, 2, 3, 4]
    assert [each["global_step"] for each in data["checkpoints"]] == [5, 10, 15, 20]
    assert not any(each["damaged"] or each["pinned"] for each in data["checkpoints"])
    newest = data["checkpoints"][-1]
    files = [trained / f"checkpoints/model-4.{suffix}" for suffix in ("index", "json", "data-00000-of-00001")]
    assert newest["size"] == sum(path.stat().st_size for path in files)
    _, text = tool("list", trained)
    assert text.split()[:8] == ["name", "number", "epoch", "step", "age", "size", "loss", "error"]
    assert "steps_per_sec" not in text


def test_list_finds_a_short_file_at_once_and_a_flipped_byte_when_it_reads(tool, copy) -> None:
    flip(copy / "checkpoints/model-2.data-00000-of-00001")
    assert tool("list", copy)[0] == 0
    code, text = tool("list", copy, "--verify")
    assert (code, "model-2.data-00000-of-00001 differs from what was written" in text) == (1, True)
    (copy / "checkpoints/model-3.index").write_bytes(b"")
    code, text = tool("list", copy)
    assert (code, "model-3.index has 0 bytes instead of" in text) == (1, True)


def test_what_is_damaged_is_not_the_last(tool, copy) -> None:
    (copy / "checkpoints/model-4.data-00000-of-00001").unlink()
    assert find_checkpoint(copy).name == "model-3"
    with pytest.raises(CheckpointError, match="data-00000-of-00001 is missing"):
        find_checkpoint(f"{copy}@4")
    code, text = tool("show", f"{copy}@4")
    assert (code, "is missing" in text) == (1, True)


def test_of_a_directory_the_newest_that_verifies_is_taken_and_others_are_named(tool, copy, caplog) -> None:
    flip(copy / "checkpoints/model-4.data-00000-of-00001")
    code, text = tool("show", copy)
    assert (code, "model-3 (epoch 3, step 15)" in text) == (0, True)
    assert "passed over" in caplog.text
    for number in (1, 2, 3):
        flip(copy / f"checkpoints/model-{number}.index")
    code, text = tool("show", copy)
    assert (code, text.count("differs from what was written")) == (1, 4)


def test_a_record_under_another_name_does_not_speak_for_the_files(tool, copy) -> None:
    for suffix in ("index", "json", "data-00000-of-00001"):
        shutil.copy(copy / f"checkpoints/model-2.{suffix}", copy / f"checkpoints/model-9.{suffix}")
    code, text = tool("list", copy)
    assert (code, "is the record of model-2" in text) == (1, True)


def test_show_keeps_the_optimizers_variables_apart(tool, tool_json, trained) -> None:
    code, data = tool_json("show", trained)
    assert code == 0
    by_name = {each["name"]: each for each in data["variables"]}
    assert {name for name, each in by_name.items() if not each["of_optimizer"]} == {"w", "b", "global_step"}
    assert {name for name, each in by_name.items() if each["trainable"]} == {"w", "b"}
    assert data["parameters"] == {"trainable": 3, "model": 4, "optimizer": 8}
    w = variables(trained / "checkpoints/model-4")["w"]
    assert by_name["w"]["mean"] == pytest.approx(w.mean())
    assert by_name["w"]["norm"] == pytest.approx(np.linalg.norm(w))
    assert (by_name["w"]["size"], by_name["w"]["shape"], by_name["w"]["dtype"]) == (8, [2, 1], "float32")
    assert "parameters: 4 (3 trainable), the optimizer's 8" in tool("show", trained)[1]


@pytest.mark.parametrize("with_meta", [True, False])
def test_show_on_files_of_a_plain_saver(tool, plain, tmp_path, with_meta) -> None:
    directory = shutil.copytree(plain, tmp_path / "plain")
    if not with_meta:
        (directory / "old.ckpt-2.meta").unlink()
    found = variables_of(find_checkpoint(directory))
    optimizers = {"b/Adam", "b/Adam_1", "w/Adam", "w/Adam_1", "beta1_power", "beta2_power"}
    assert {each.name for each in found if each.of_optimizer} == optimizers
    assert {each.trainable for each in found if each.name == "w"} == ({True} if with_meta else {None})
    code, text = tool("show", directory)
    assert (code, "old.ckpt-2 (no record)" in text) == (0, True)


@pytest.mark.parametrize(
    ("shapes", "trainable", "expected"),
    [
        ({"w": (2,), "w/Momentum": (2,)}, None, {"w/Momentum"}),
        ({"w": (2,), "w/scale": ()}, None, set()),
        ({"w": (2,), "w/copy": (2,)}, {"w", "w/copy"}, set()),
        ({"w": (2,), "w/ExponentialMovingAverage": (2,)}, {"w"}, set()),
        ({"a/w": (2,), "train/beta1_power": (), "a/w/Adam_1": (2,)}, {"a/w"}, {"train/beta1_power", "a/w/Adam_1"}),
        ({"adam/iteration": (), "adam_3/w_momentum": (2,), "w": (2,)}, {"w"}, {"adam/iteration", "adam_3/w_momentum"}),
        ({"adam_1/iteration": (), "adam_1_1/learning_rate": ()}, set(), {"adam_1/iteration", "adam_1_1/learning_rate"}),
        ({"sgd/w": (2,), "w": (2,)}, {"w"}, set()),
        ({"bn/moving_mean": (4,), "bn/gamma": (4,)}, {"bn/gamma"}, set()),
        ({"k/.OPTIMIZER_SLOT/o/m": (2,)}, None, {"k/.OPTIMIZER_SLOT/o/m"}),
        ({"rollback/rate_scale": ()}, set(), {"rollback/rate_scale"}),
    ],
)
def test_what_belongs_to_the_optimizer(shapes, trainable, expected) -> None:
    assert optimizer_variables(shapes, trainable) == expected


def test_the_last_of_a_plain_saver_is_what_its_own_list_says(plain, tmp_path) -> None:
    directory = shutil.copytree(plain, tmp_path / "plain")
    assert find_checkpoint(directory).name == "old.ckpt-2"
    # Training began again at step 0 and has saved once.
    (directory / "checkpoint").write_text(f'model_checkpoint_path: "{plain}/old.ckpt-1"\n')
    assert find_checkpoint(directory).name == "old.ckpt-1"


def test_diff_gives_the_largest_change_of_each_variable(tool, tool_json, trained) -> None:
    code, data = tool_json("diff", f"{trained}@1", f"{trained}@4")
    a, b = (variables(trained / f"checkpoints/model-{number}") for number in (1, 4))
    changes = {each["name"]: each for each in data["differences"]}
    assert code == 1
    assert set(changes) == {name for name in a if not np.array_equal(a[name], b[name])}
    assert changes["w"]["absolute"] == pytest.approx(np.abs(b["w"] - a["w"]).max())
    relative = np.abs(b["w"] - a["w"]) / np.maximum(np.abs(a["w"]), np.abs(b["w"]))
    assert changes["w"]["relative"] == pytest.approx(relative.max(), rel=1e-5)
    assert changes["global_step"]["absolute"] == 15
    assert "are the same bit for bit" in tool("diff", f"{trained}@1", f"{trained}@4")[1]


def test_diff_of_a_checkpoint_with_itself(tool, trained) -> None:
    assert tool("diff", trained, f"{trained}@4")[0] == 0


def test_diff_names_what_is_in_one_or_of_another_shape(tmp_path) -> None:
    for name, tensors in (("a", {"w": [1.0], "n": [1, 2]}), ("b", {"w": [1.0, 2.0], "m": [1]})):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / name),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(each) for each in tensors.values()],
        )
    found = {each.name: (str(each.a), str(each.b)) for each in compare(tmp_path / "a", tmp_path / "b").differences}
    assert found == {
        "m": ("None", "int32 [1]"),
        "n": ("int32 [2]", "None"),
        "w": ("float32 [1]", "float32 [2]"),
    }


def test_verify_reads_everything(tool, tool_json, trained, plain) -> None:
    assert tool("verify", trained)[0] == 0
    code, text = tool("verify", plain)
    assert (code, "no record to compare with" in text) == (0, True)
    assert tool_json("verify", f"{trained}@2") == (0, {"problems": {"model-2": []}, "damaged": False})


@pytest.mark.parametrize("suffix", ["data-00000-of-00001", "index", "meta"])
def test_verify_finds_a_flipped_byte(tool_json, copy, suffix) -> None:
    flip(copy / f"checkpoints/model-2.{suffix}")
    code, data = tool_json("verify", copy)
    assert code == 1
    assert [name for name, problems in data["problems"].items() if problems] == ["model-2"]


def test_verify_finds_a_flipped_byte_where_there_is_no_record(plain, tmp_path) -> None:
    directory = shutil.copytree(plain, tmp_path / "plain")
    flip(directory / "old.ckpt-1.data-00000-of-00001")
    (problem,) = problems_of(find_checkpoint(f"{directory}@1"))
    assert "cannot be read" in problem
    os.truncate(directory / "old.ckpt-2.meta", 100)
    assert "is no graph" in problems_of(find_checkpoint(f"{directory}@2"))[0]


def test_verify_finds_a_state_file_that_names_what_is_gone(tool, copy) -> None:
    for path in (copy / "checkpoints").glob("model-4.*"):
        path.unlink()
    code, text = tool("verify", copy)
    assert (code, "names model-4, which is not there" in text) == (1, True)


def test_several_names_in_one_directory(copy) -> None:
    for path in list((copy / "checkpoints").glob("model-2.[id]*")):
        shutil.copy(path, path.with_name(path.name.replace("model", "other")))
    assert read_catalog(copy).prefixes == ["model", "other"]
    with pytest.raises(RequestError, match="may be model-2 or other-2"):
        find_checkpoint(f"{copy}@2")
