"""``scripts/checkpoints`` as a whole: help, and what a wrong request is told."""

from __future__ import annotations

import pytest

from tests.processes import processor_secs


def test_help_and_list_cost_a_few_imports_and_no_tensorflow(no_tensorflow, trained, tmp_path) -> None:
    # Twice as much without anything else going on; TensorFlow would be ten times as much.
    limit_secs = 4 * processor_secs("-c", "import hydra, numpy", cwd=tmp_path)
    for arguments in (["--help"], ["freeze", "--help"], ["list", str(trained)]):
        secs = processor_secs("-m", "trainer.cli.checkpoints", *arguments, cwd=tmp_path, **no_tensorflow)
        assert secs < limit_secs


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
        (["average", "RUN", "--to", "mean"], "at least two checkpoints"),
        (["average", "RUN@1", "RUN@2", "--to", "RUN/checkpoints/model-3"], "exists already"),
        (["average", "RUN@1", "RUN@2", "--to", "RUN/checkpoints/model-9"], "would count as a checkpoint of the run"),
        (["freeze", "RUN", "--outputs", "opp"], "did you mean op? [--outputs NODE]"),
        (["freeze", "RUN", "--outputs", "train_step"], "belongs to training"),
        (["freeze", "RUN", "-o", "model.onnx"], "must end in .pb"),
        (["freeze", "RUN", "-o", "RUN/checkpoints/model-3.pb"], "belongs to the checkpoint of that name"),
        (["freeze", "RUN", "--input", "z=RUN/run.json"], "is not a file of numpy.save"),
        (["export", "RUN", "-o", "RUN/busy"], "is not a SavedModel"),
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
