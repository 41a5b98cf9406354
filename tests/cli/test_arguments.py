"""Arguments in the order that Hydra takes, by tables."""

from __future__ import annotations

import subprocess

import pytest

from trainer.cli.arguments import arguments, shell_command, with_added_callbacks
from trainer.errors import RequestError

COMMANDS = ("checkpoints", "models")

# What is typed, and the words for Hydra.
ORDERED = [
    ([], []),
    (["+experiment=linear"], ["+experiment=linear"]),
    (["experiment=linear"], ["+experiment=linear"]),
    (["+experiment=linear", "-m", "seed=1,2"], ["--multirun", "+experiment=linear", "seed=1,2"]),
    (["a=1", "-v", "b=2"], ["a=1", "b=2"]),
    (['a={"*": "x/*"}', "b='{\"c\": 1}'"], ['a={*: "x/*"}', "b='{\"c\": 1}'"]),
    (["a={'b': {\"c/d\" : 'e: f'}}"], ["a={b: {c/d : 'e: f'}}"]),
    (["a=1", "--cfg", "job", "b=2"], ["--cfg=job", "a=1", "b=2"]),
    (["--cfg=job", "a=1"], ["--cfg=job", "a=1"]),
    (["-c", "job", "-p", "loop"], ["--cfg=job", "--package=loop"]),
    (["a=1", "--config-dir", "my conf", "b=2"], ["--config-dir=my conf", "a=1", "b=2"]),
    (["-cd", "conf", "-cn", "other"], ["--config-dir=conf", "--config-name=other"]),
    (["--info", "a=1"], ["--info=all", "a=1"]),
    (["a=1", "--info"], ["--info=all", "a=1"]),
    (["--info", "config", "a=1"], ["--info=config", "a=1"]),
    (["-i", "defaults"], ["--info=defaults"]),
    (["--multi", "a=1"], ["--multirun", "a=1"]),
    (["a=1", "--", "-b=2"], ["a=1", "-b=2"]),
    (["-sc", "install=bash"], ["--shell-completion", "install=bash"]),
    (["~callbacks.freeze", "--resolve", "--cfg", "job"], ["--resolve", "--cfg=job", "~callbacks.freeze"]),
]


@pytest.mark.parametrize(("typed", "words"), ORDERED, ids=lambda value: " ".join(value) or "nothing")
def test_flags_may_stand_anywhere(typed, words) -> None:
    assert arguments(typed, COMMANDS).words == words


@pytest.mark.parametrize(("typed", "verbose"), [(["a=1", "-v"], True), (["--verbose"], True), (["a=-v"], False)])
def test_verbose_is_ours(typed, verbose) -> None:
    assert arguments(typed).verbose is verbose


# What is typed, and what of the answer names the mistake and the remedy.
REFUSED = [
    (["--confg", "job"], "did you mean --cfg or --config-dir"),
    (["-x"], "there is no flag -x"),
    (["--config"], "there is no flag --config;"),
    (["--cfg", "jb"], "did you mean job"),
    (["--cfg"], "--cfg needs a value, one of: job, hydra, all"),
    (["a=1", "--config-dir"], "--config-dir needs a value"),
    (["--info=al"], "did you mean all"),
    (["--help=3"], "--help takes no value"),
    (["-m", "--cfg", "job"], "--multirun and --cfg exclude each other"),
    (["--resolve"], "add --cfg job"),
    (["chekpoints", "list"], "did you mean checkpoints"),
    (["+experiment"], "is neither KEY=VALUE nor a command"),
]


@pytest.mark.parametrize(("typed", "answer"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_read_is_refused_by_name(typed, answer) -> None:
    with pytest.raises(RequestError) as caught:
        arguments(typed, COMMANDS)
    assert answer in str(caught.value)


# Overrides, the choice without the additions, and the overrides for Hydra.
ADDED = [
    (["a=1"], ["default"], ("a=1",)),
    (["+callbacks=x", "a=1"], ["default"], ("a=1", "callbacks=[default,x]")),
    (["+callbacks=x", "+callbacks=y"], ["default"], ("callbacks=[default,x,y]",)),
    (["+callbacks=[x, y]"], ["default", "z"], ("callbacks=[default,z,x,y]",)),
    (["+callbacks=x"], ["default", "x"], ("callbacks=[default,x]",)),
    (["callbacks=own", "+callbacks=x"], ["own"], ("callbacks=[own,x]",)),
    (["+callbacks.x={_target_: a.B}"], ["default"], ("+callbacks.x={_target_: a.B}",)),
    (["+callbacks@callbacks.x=y"], ["default"], ("+callbacks@callbacks.x=y",)),
]


@pytest.mark.parametrize(("overrides", "chosen", "whole"), ADDED, ids=lambda value: str(value)[:40])
def test_an_added_callback_joins_the_choice(overrides, chosen, whole) -> None:
    assert with_added_callbacks(overrides, chosen) == whole


def test_a_sweep_over_experiments_needs_the_whole_list() -> None:
    with pytest.raises(RequestError, match=r"'callbacks=\[default,x\]'"):
        with_added_callbacks(["+experiment=a,b", "+callbacks=x"], ["default"])


@pytest.mark.parametrize(
    "word",
    [
        "~callbacks.freeze",
        "trainable=[head/*, body]",
        'name="it\'s"',
        "a={b: c}",
        "a=$HOME",
        "a=two\nlines",
        "a=tab\tand \\ back",
        "a=ü\nü",
        "a=*",
        "a=\xa0",
    ],
)
def test_a_command_is_one_line_that_a_shell_reads_back(word) -> None:
    command = shell_command("printf '%s'", arguments([]), [word])
    assert "\n" not in command
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"}, encoding="utf-8"
    )
    assert done.stdout == word


def test_a_directory_of_configs_is_one_of_the_working_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert arguments(["-cp", "my conf"]).words == [f"--config-path={tmp_path / 'my conf'}"]
    assert arguments(["--config-path=pkg://mine.conf"]).words == ["--config-path=pkg://mine.conf"]


def test_a_command_keeps_the_flags_that_name_configs() -> None:
    line = arguments(["-m", "a=1,2", "--config-dir", "my conf", "-v", "--config-name=other"])
    assert shell_command("graph-trainer", line, ["a=1"]) == (
        "graph-trainer '--config-dir=my conf' --config-name=other a=1"
    )
