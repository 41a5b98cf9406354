"""convert: to other runtimes, compared across them."""

from __future__ import annotations

import json
import shutil

import numpy as np

PB = "export/frozen/model.pb"


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
