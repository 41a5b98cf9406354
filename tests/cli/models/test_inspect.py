"""show: inputs, outputs and sizes of a model."""

from __future__ import annotations

import json

import pytest

from tests.old_graphs import write_old_run

PB = "export/frozen/model.pb"


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
