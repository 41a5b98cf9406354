"""Tab completion, as bash asks for it."""

from __future__ import annotations

import time

import pytest

from trainer.cli.arguments import arguments
from trainer.cli.completion import query_of

COMPLETE = """
eval "$(graph-trainer -sc install=bash)"
COMP_LINE='{line}'
COMP_POINT=${{#COMP_LINE}}
COMP_WORDS=($COMP_LINE)
case $COMP_LINE in *' ') COMP_WORDS+=('');; esac
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
hydra_bash_completion
echo "${{COMPREPLY[*]}}"
complete -p graph-trainer
"""

DIGITS = ["+experiment=digits_cnn", "+experiment=digits_mlp", "+experiment=digits_trunk"]

# What is typed before the tabulator, and the completions.
COMPLETED = [
    ("graph-trainer +experiment=di", DIGITS),
    ("graph-trainer -m +experiment=di", DIGITS),
    ("graph-trainer seed=3 -v +experiment=di", DIGITS),
    ("graph-trainer experiment=di", [each.removeprefix("+") for each in DIGITS]),
    ("graph-trainer +experiment=mi", []),
    ("graph-trainer --config-dir conf +experiment=mi", ["+experiment=mine"]),
    ("graph-trainer seed=3 --config-dir=conf +experiment=mi", ["+experiment=mine"]),
    ("graph-trainer --config-dir conf +experiment=mine model.si", ["model.sizes."]),
    ("graph-trainer +experiment=linear optimizer.le", ["optimizer.learning_rate="]),
    ("graph-trainer +experiment=linear +callbacks=ea", ["+callbacks=early_stopping"]),
    ("graph-trainer +experiment=linear +callbacks=early_stopping callbacks.ea", ["callbacks.early_stopping."]),
    ("graph-trainer optimizer=ada", ["optimizer=adam", "optimizer=adam_fast", "optimizer=adamw_cosine"]),
    ("graph-trainer che", ["checkpoints"]),
    ("graph-trainer --config-", ["--config-path", "--config-name", "--config-dir"]),
    ("graph-trainer checkpoints li", []),
    ("graph-trainer --config-dir no/such +experiment=di", []),
    ("graph-trainer +experiment=lin optimizer.le", []),
]


@pytest.mark.parametrize(("line", "completions"), COMPLETED, ids=lambda value: str(value)[:60])
def test_bash_completes(bash, no_tensorflow, tmp_path, line, completions) -> None:
    experiments = tmp_path / "work/conf/experiment"
    experiments.mkdir(parents=True)
    (experiments / "mine.yaml").write_text("# @package _global_\ndefaults: [{override /model: mlp}]\n")
    done = bash(COMPLETE.format(line=line), **no_tensorflow)
    assert done.stderr == ""
    found, rule = done.stdout.splitlines()
    assert found.split() == completions
    assert rule.endswith("-F hydra_bash_completion graph-trainer")


def test_an_answer_takes_less_than_a_second(bash) -> None:
    began = time.perf_counter()
    assert bash("graph-trainer -sc query=bash", COMP_LINE="graph-trainer +experiment=di").stdout.split() == DIGITS
    assert time.perf_counter() - began < 3.0  # a third of a second by itself; room for a busy machine


def test_a_module_is_no_command_that_a_shell_completes(bash, no_tensorflow) -> None:
    done = bash("python -m trainer -sc install=bash", **no_tensorflow)
    assert (done.returncode, "pip install . gives the command graph-trainer" in done.stderr) == (2, True)


# The line so far, the words before the one that is completed, and that word.
QUESTIONS = [
    ("graph-trainer", [], ""),
    ("graph-trainer ", [], ""),
    ("graph-trainer +exp", [], "+exp"),
    ("/opt/python/bin/graph-trainer a=1 b", ["a=1"], "b"),
    ("graph-trainer 'a=[1, 2]' b", ["a=[1, 2]"], "b"),
    ("graph-trainer a=1 'b=[", ["a=1"], "'b=["),
    ("graph-trainer a=1 -m ", ["--multirun", "a=1"], ""),
]


@pytest.mark.parametrize(("line", "before", "word"), QUESTIONS)
def test_the_word_is_told_from_those_before_it(line, before, word) -> None:
    query = query_of(arguments(["-sc", "query=bash"]), {"COMP_LINE": line})
    assert (query.line.words, query.word, query.shell) == (before, word, "query=bash")
