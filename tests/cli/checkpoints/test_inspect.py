"""list, show, diff, verify: on a run, on files of a plain Saver, on damaged ones."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.damage import flip
from tests.helpers import variables
from tests.processes import python
from trainer.checkpoints.analysis.inspect import variables_of
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import CheckpointError


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
    assert resolve_checkpoint(copy).name == "model-3"
    with pytest.raises(CheckpointError, match="data-00000-of-00001 is missing"):
        resolve_checkpoint(f"{copy}@4")
    code, text = tool("show", f"{copy}@4")
    assert (code, "without values: model-4.data-00000-of-00001 not there" in text) == (0, True)


def test_of_a_directory_the_newest_that_verifies_is_taken_and_others_are_named(tool, copy, caplog) -> None:
    flip(copy / "checkpoints/model-4.data-00000-of-00001")
    code, text = tool("show", copy)
    assert (code, "model-3 (epoch 3, step 15)" in text) == (0, True)
    assert "skipped: " in caplog.text
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
        for path in directory.glob("*.meta"):
            path.unlink()
    found = variables_of(resolve_checkpoint(directory))
    optimizers = {"b/Adam", "b/Adam_1", "w/Adam", "w/Adam_1", "beta1_power", "beta2_power"}
    assert {each.name for each in found if each.of_optimizer} == optimizers
    assert {each.trainable for each in found if each.name == "w"} == ({True} if with_meta else {None})
    code, text = tool("show", directory)
    assert (code, "old.ckpt-2 (no record)" in text) == (0, True)


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


def test_verify_reads_everything(tool, tool_json, trained, plain) -> None:
    assert tool("verify", trained)[0] == 0
    code, text = tool("verify", plain)
    assert (code, "no record to compare with" in text) == (0, True)
    assert tool_json("verify", f"{trained}@2") == (0, {"problems": {"model-2": []}, "damaged": False, "graphs": {}})


@pytest.mark.parametrize("suffix", ["data-00000-of-00001", "index", "meta"])
def test_verify_finds_a_flipped_byte(tool_json, copy, suffix) -> None:
    flip(copy / f"checkpoints/model-2.{suffix}")
    code, data = tool_json("verify", copy)
    assert code == 1
    assert [name for name, problems in data["problems"].items() if problems] == ["model-2"]


def test_verify_finds_a_state_file_that_names_what_is_gone(tool, copy) -> None:
    for path in (copy / "checkpoints").glob("model-4.*"):
        path.unlink()
    code, text = tool("verify", copy)
    assert (code, "names model-4, which is not there" in text) == (1, True)


WITHOUT = """
import sys
from trainer.cli.main import main
try:
    main()
except SystemExit as error:
    code = error.code
assert "tensorflow" not in sys.modules and "keras" not in sys.modules, "TensorFlow was imported"
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", ["list RUN", "list RUN --verify", "show RUN", "verify RUN", "plan --epochs 9", "diff RUN RUN@2"]
)
def test_no_tensorflow_is_needed(trained, tmp_path, words) -> None:
    file = tmp_path / "program.py"
    file.write_text(WITHOUT)
    done = python(str(file), "checkpoints", *words.replace("RUN", str(trained)).split(), cwd=tmp_path)
    assert done.returncode == (1 if words.startswith("diff") else 0), done.stderr
