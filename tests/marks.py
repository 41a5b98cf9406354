"""Marks of slow tests, and of tests that train or start a process; decided here for all tests."""

from __future__ import annotations

import subprocess
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trainer.training.train import train_job

SLOW = {
    "test_readme.py": "every block of the README, in a shell",
    "test_conformance.py::test_an_experiment_runs_resumes_and_exports": "every experiment, started two times",
    "test_commands.py::test_digits_reach_their_validation_accuracy": "two experiments to their end",
    "cli/test_assemble.py::test_a_run_with_old_keys": "a run that the command line began, and two more",
    "cli/test_assemble.py::test_a_graph_is_built": "the same run, frozen by its config",
    "cli/test_main.py::test_the_command_of_a_run_can_be_pasted": "two runs of each program",
    "cli/test_stdout.py::test_it_trains_and_exits_with_0[one]": "a run for each form of a closed stream",
    "cli/test_stdout.py::test_it_trains_and_exits_with_0[broken pipe]": "the same",
    "cli/test_stdout.py::test_it_trains_and_exits_with_0[full]": "the same",
    "cli/test_stdout.py::test_a_sweep": "a sweep of two runs",
    "config/test_choices.py::test_a_choice_that_drops": "runs of a whole experiment",
    "config/test_shipped_callbacks.py::test_both_packages": "a run for each form of a package",
    "cli/test_main.py::test_pip_installs_the_command": "an environment of its own, and pip",
    "test_commands.py::test_refused_before_anything_is_created": "a process with TensorFlow for each mistake",
    "test_same_bits.py::test_random_schedules[xla": "compiles eight runs; the others are in the suite",
    "graph/test_metrics.py::test_metrics_are_those_of_the_whole_part[arrays-xla": "compiles a dozen Keras metrics",
    "test_scripts.py::test_a_choice_of_tests": "collects all tests three times",
    "test_public_face.py::test_the_types": "mypy over the whole framework",
    "test_saved_objects.py::test_a_resume_goes_on_bit_for_bit[parts ": "two runs",
    "test_saved_objects.py::test_a_resume_goes_on_bit_for_bit[variables": "the same",
    "test_saved_objects.py::test_a_list_of_variables_names_wholes_and_parts[['scope/*'": "two runs",
    "test_saved_objects.py::test_a_list_of_variables_names_wholes_and_parts[['*']": "the same",
    "test_saved_objects.py::test_parts_may_be_cut_otherwise": "three runs",
    "test_serving.py::test_c": "a C compiler and a program of its own",
    "zoo/test_zoo.py": "some forty nets, with five runs each",
    "runs/test_versions.py::test_a_run_beside": "a run in a process whose metadata is hidden",
    "scenarios/test_another_keras.py::test_a_run": "two versions of Keras, one of them from PyPI",
    "training/test_inquiry.py::test_31_compiling_changes": "three runs for each kind of op; two kinds are in the suite",
    "training/test_inquiry.py::test_31_checks_change_no_result": "two runs for each kind of op",
    "graph/test_optimizers.py::test_every_pair": "143 nets, each trained twice; one option of each is in the suite",
    "scenarios/test_kills_and_signals.py::test_01": "a run that is killed and started until it is done",
    "scenarios/test_constructor_values.py::test_30_in_every_mode": "compiles two runs",
    "scenarios/test_constructor_values.py::test_training_goes_on": "three runs of a recurrent net",
    "scenarios/test_long_work.py::test_32_a_signal_ends_a_call": "a run for each long call, and resumes",
    "scenarios/test_disk.py::test_21": "a run for each file operation that fails",
    "scenarios/test_disk.py::test_23": "500 checkpoints",
}
"""Reason why a test of ``scripts/test -m slow`` is slow, by the prefix of its name."""

WORK = (subprocess, subprocess.run, subprocess.Popen, train_job)
"""Functions and modules that train or start a process."""


def mark(item: pytest.Item) -> None:
    """Adds ``slow`` to the tests in the table, ``integration`` to those that train or start a process."""
    if item.nodeid.removeprefix("tests/").startswith(tuple(SLOW)):
        item.add_marker("slow")
    if any(reaches_work(function) for function in functions_of(item)):
        item.add_marker("integration")


def functions_of(item: pytest.Item) -> list[Callable[..., Any]]:
    """Returns the functions of a test and its fixtures; none for an example in a docstring."""
    if not isinstance(item, pytest.Function):
        return []
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return [item.function, *(each.func for definitions in fixtures for each in definitions)]


def reaches_work(function: Callable[..., Any]) -> bool:
    """Returns whether a function refers to ``WORK``, directly or through other functions of the tests.

    >>> reaches_work(lambda: subprocess.run(["true"]))
    True
    >>> reaches_work(lambda: functions_of)
    False
    """
    seen: set[types.FunctionType] = set()
    todo: list[Any] = [function]
    while todo:
        each = todo.pop()
        if any(each is work for work in WORK):
            return True
        if isinstance(each, types.FunctionType) and each.__module__.startswith("tests.") and each not in seen:
            seen.add(each)
            todo += [each.__globals__[name] for name in names_in(each.__code__) if name in each.__globals__]
    return False


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yields the names that a function looks up, including those of its inner functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)
