"""``scripts/models`` as a whole: help, and what a wrong request is told."""

from __future__ import annotations

import pytest

from tests.processes import python


def test_help_needs_no_tensorflow(no_tensorflow, tmp_path) -> None:
    for args in (["--help"], ["show", "--help"], ["convert", "--help"]):
        done = python("-m", "trainer.cli.models", *args, cwd=tmp_path, ours=False, **no_tensorflow)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: python -m trainer.cli.models")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run"], "required: FILE (scripts/models run --help shows how)"),
        (["shw", "."], "did you mean show?"),
        (["show", ".", "--outptu", "op"], "did you mean --output?"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(models, args, message) -> None:
    code, text, errors = models(*args)
    assert (code, text, errors.count("\n")) == (2, "", 1)
    assert message in errors


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["show", "{run}/none"], 2, "there is no file, directory or checkpoint"),
        (["show", "empty.pb"], 1, "empty.pb is empty"),
        (["show", "text.pb"], 1, "is not a GraphDef, or is damaged"),
        (["run", "{run}"], 2, "the input 'x' (float32 [?, 2]) of"),
        (["run", "{run}", "--input", "xx=1"], 2, "did you mean x?"),
        (["run", "{run}", "--input", "x=1,2,3"], 2, "x has the shape [3] and must have [?, 2]"),
        (["run", "{run}", "--input", "x=a,b"], 2, "must be float32"),
        (["run", "{run}", "--input", "x=1,2", "--output", "opp"], 2, "did you mean op? [--output NODE]"),
        (["run", "{run}", "--input", "x=1,2", "--save", "no/where.npz"], 1, "No such file or directory"),
        (["run", "{run}/export/saved_model", "--tags", "fast"], 2, "there are: gpu serve [--tags TAGS]"),
        (["compare", "{run}", "{run}/none"], 2, "there is no file"),
        (["graph", "{run}", "--depth", "-1"], 2, "--depth (-1) must be at least 0"),
        (
            ["convert", "{run}", "--to", "tflite"],
            2,
            "is a directory; name a frozen .pb, such as a run's export",
        ),
        (["convert", "{run}/export/frozen/model.pb", "--to", "tflite", "--int8"], 2, "go together"),
        (["convert", "{run}/export/frozen/model.pb", "--to", "tflite", "--output", "opp"], 2, "did you mean op?"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refused(models, small_run, tmp_path, args, code, message) -> None:
    (tmp_path / "empty.pb").write_bytes(b"")
    (tmp_path / "text.pb").write_text("not a graph")
    found, text, errors = models(*(each.format(run=small_run) for each in args))
    assert (found, text) == (code, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert len(errors.splitlines()) < 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.pb", "text.pb"]
