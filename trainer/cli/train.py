"""Training from the command line: Hydra composes the config, errors become exit codes. Imports no TensorFlow."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from trainer import __version__, display, graph
from trainer.cli.arguments import CommandLine, adds_callbacks, arguments, shell_command, with_added_callbacks
from trainer.cli.assemble import run
from trainer.cli.completion import ask_hydra, asks, own_words, query_of
from trainer.cli.objective import Objective
from trainer.cli.program import COMMAND
from trainer.cli.stdout import PlainFormatter, close_output, say
from trainer.cli.sweeps import JobOutcomes, Outcome, exit_code, sweep_table
from trainer.config import schema
from trainer.config.choices import check_choices, check_sweep, typed_words
from trainer.config.debug import apply_debug, with_debug_last
from trainer.config.keys import with_key
from trainer.config.messages import explain
from trainer.config.sources import ConfigSources, conf_directory
from trainer.config.validate import validate
from trainer.display.terminal import is_terminal
from trainer.errors import Interrupted, RequestError, TrainerError, describe, place_in
from trainer.files import local_path
from trainer.training.signals import Signals

log = logging.getLogger(__name__)

VERBOSE = "TRAINER_VERBOSE"
"""Environment variable that shows tracebacks, as ``-v`` does."""

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, YAMLError)
STUDY_ENDED = ("No trials are completed yet", "`Study.stop` is supposed to be invoked inside")
"""Prefixes of the errors of Optuna where every job has failed, and where the last job of a grid has."""

PLAIN_ERRORS = ("Config group override must be", "Unexpected type for root")
"""Prefixes of the plain errors of Hydra for ``GROUP=null`` and of OmegaConf for a key below null."""


def main(typed: Sequence[str], program: str, commands: Sequence[str] = ()) -> NoReturn:
    """Runs the command line and exits with its exit code.

    Args:
        typed: Words after the name of the program.
        program: Name of the program as the user typed it.
        commands: Names of the commands that may come first.
    """
    # Hydra would print its own report and exit with 1; with this it raises.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # A closed pipe (trainer ... | head) must neither stop a run nor fill the terminal with logging errors.
    logging.raiseExceptions = False
    # Hydra logs what it could not instantiate, and the error that is printed says it better.
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)
    schema.register()
    try:
        line = arguments(typed, commands)
        _be_verbose(line.verbose)
        if line.has("--version"):
            sys.stdout.write(f"{COMMAND} {__version__} (Hydra {hydra.__version__})\n")
            sys.exit(0)
        if line.has("--shell-completion"):
            sys.exit(_complete(line, program, commands))
        sys.exit(_run(line, program))
    except RequestError as error:
        sys.exit(tell(error))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        close_output()
        _end_under_a_call(sys.exc_info()[1])


def _end_under_a_call(error: BaseException | None) -> None:
    """Ends the process at once where a call into TensorFlow still runs: Python's own end would abort under it."""
    if isinstance(error, SystemExit) and graph.calls_left():
        os._exit(error.code if isinstance(error.code, int) else 1)


def _be_verbose(verbose: bool) -> None:
    if verbose:
        os.environ[VERBOSE] = "1"
        for package in ("trainer", "callbacks"):
            logging.getLogger(package).setLevel(logging.DEBUG)


def _run(line: CommandLine, program: str) -> int:
    """Runs Hydra, which starts a job, a sweep or none (``--help``, ``--cfg``), and returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="graph-trainer-") as folder:
        outcomes = JobOutcomes(Path(folder))
        ended = _run_jobs(line, program, outcomes)
        jobs = outcomes.all()
    if line.has("--multirun") and not line.has("--help") and not jobs:
        return tell(TrainerError("the sweep has ended, and none of its jobs has told how: they ran on other machines"))
    _show(jobs)
    return exit_code(jobs) or ended


def _run_jobs(line: CommandLine, program: str, outcomes: JobOutcomes) -> int:
    """Runs Hydra; returns 1 where a study had no job to choose by, else 0."""
    sources = _sources(line)

    def job(config: DictConfig) -> float | None:
        outcome = run_job(config, line, program)
        outcomes.add(outcome, Path(HydraConfig.get().sweep.dir) if is_sweep() else None)
        if isinstance(outcome.error, Interrupted):
            _show(outcomes.all())
            sys.exit(outcome.error.exit_code)
        return outcome.value

    try:
        line = replace(line, overrides=_with_whole_choice(line.overrides, sources))
        if line.has("--multirun"):
            check_sweep(sources.compose_first(line.overrides), line.overrides, sources.groups())
        name = [f"hydra.help.app_name='{program}'"] if line.has("--help") and "'" not in program else []
        _run_hydra(program, [*line.words, *name], job)
    except (*COMPOSITION_ERRORS, ValueError, AssertionError, RuntimeError) as error:
        if not isinstance(error, COMPOSITION_ERRORS) and not str(error).startswith((*PLAIN_ERRORS, *STUDY_ENDED)):
            raise
        if str(error).startswith(STUDY_ENDED):  # the jobs have said why
            return 1
        raise RequestError(explain(error, line.overrides, sources)) from error
    return 0


def _show(outcomes: Sequence[Outcome]) -> None:
    """Shows the table of the jobs of a sweep."""
    if len(outcomes) > 1:
        _log_to_output()  # as the jobs may have run in other processes
        log.info("\n%s\n", sweep_table(outcomes))


def _run_hydra(program: str, words: Sequence[str], job: Callable[[DictConfig], float | None]) -> None:
    typed = CommandLine(tuple(words), ())
    first = conf_directory()
    own = _sources(typed).own
    if own is not None and not typed.has("--config-path"):
        # Hydra looks into its main directory first, and files of the user replace shipped ones of the same name.
        others = [each for each in words if not each.startswith("--config-dir=")]
        first, words = own.absolute(), [f"--config-dir={first}", *others]
    sys.argv = [program, *words]
    hydra.main(config_path=str(first), config_name="train", version_base="1.3")(job)()


def _sources(line: CommandLine) -> ConfigSources:
    given = line.value("--config-dir")
    own = local_path(given, "--config-dir") if given else None
    if own is not None and not own.is_dir():
        raise RequestError(f"--config-dir ({given}): {own.absolute()} does not exist", argument="--config-dir")
    return ConfigSources(conf_directory(), own, line.value("--config-name") or "train")


def _with_whole_choice(overrides: Sequence[str], sources: ConfigSources) -> tuple[str, ...]:
    """Returns the overrides with ``+callbacks=NAME`` merged into a complete choice; composes the config to find it."""
    overrides = with_debug_last(overrides)
    if not any(map(adds_callbacks, overrides)):
        return overrides
    others = [each for each in overrides if not adds_callbacks(each)]
    return with_added_callbacks(overrides, sources.chosen("callbacks", others))


def _complete(line: CommandLine, program: str, commands: Sequence[str]) -> int:
    """Prints completions for a shell; a line that cannot be completed gives none, as it is not finished yet."""
    if any(each.startswith("install=") for each in line.overrides) and program.startswith("python "):
        raise RequestError(f"a shell completes a command, not {program}; pip install . gives the command {COMMAND}")
    if not asks(line):
        return _run(line, program)
    try:
        query = query_of(line, os.environ)
        if words := own_words(query, commands):
            sys.stdout.write(f"{' '.join(words)}\n")
        if query.word.startswith("-"):
            return 0
        overrides = _with_whole_choice(query.line.overrides, _sources(query.line))
        ask_hydra(query, overrides, lambda words: _run_hydra(program, words, lambda _: None))
    except (RequestError, ValueError, *COMPOSITION_ERRORS):
        return 0
    return 0


def run_job(config: DictConfig, line: CommandLine, program: str) -> Outcome:
    """Runs one job and returns its outcome; in a sweep the other jobs run even if one fails.

    Args:
        config: Composed config of the job.
        line: Command line as typed.
        program: Name of the program as the user typed it.
    """
    _log_to_output()
    typed = HydraConfig.get().overrides
    task = typed_words(typed.task)
    searched = [each for each in typed_words(typed.hydra) if each.startswith("hydra.searchpath=")]
    objective = Objective(config.sweep.metric, config.sweep.mode, is_job=is_sweep())
    outcome = Outcome(tuple(task), job=HydraConfig.get().job.num if objective.is_job else 0)
    try:
        _start(config, shell_command(program, line, [*searched, *task]), line, objective)
        if objective.is_job:
            metric, value = objective.value()
            outcome = replace(outcome, metric=metric, value=value, ended=objective.ended())
    except TrainerError as error:
        tell(error)
        outcome = replace(outcome, error=error)
    return replace(outcome, directory=objective.directory)


def _log_to_output() -> None:
    # Not earlier: for --info Hydra adds its own handler, and every line would be printed twice.
    formatter = PlainFormatter("%(message)s")
    handler = display.terminal_handler(formatter) if is_terminal() else logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def is_sweep() -> bool:
    """Returns whether the job that Hydra has started is one of a sweep."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def _start(config: DictConfig, command: str, line: CommandLine, objective: Objective) -> None:
    try:
        start(config, command, objective)
    except OmegaConfBaseException as error:  # an interpolation, which nothing resolves before the job
        raise RequestError(explain(error, line.overrides, _sources(line))) from error


def start(config: DictConfig, command: str, objective: Objective) -> None:
    """Checks the config and passes it to the composition root.

    Args:
        config: Composed config.
        command: Command that gives the same config again.
        objective: Number that the run is to report, which learns of its directory.

    Raises:
        RequestError: The config is wrong; nothing was created.
        TrainerError: The run failed.
    """
    check_choices(config)
    choices = HydraConfig.get().runtime.choices
    experiment = choices.get("experiment")
    if experiment is None and choices.get("model") is None:
        names = ", ".join(sorted(path.stem for path in (conf_directory() / "experiment").glob("*.yaml")))
        raise RequestError(f"no experiment is chosen; add +experiment=NAME, one of: {names}")
    apply_debug(config)
    settings = validate(config, experiment)
    with Signals() as signals:
        try:
            wanted = objective if objective.is_job or objective.metric is not None else None
            run(config, settings, command, signals, typed_words(HydraConfig.get().overrides.task), wanted)
        except (TrainerError, *COMPOSITION_ERRORS):
            raise
        except Exception as error:
            # A mistake in a user's code, or in ours: where it is comes in the message, how it got there with -v.
            raise TrainerError(f"{describe(error)}{place_in(error)}; -v shows the traceback") from error


def tell(error: TrainerError) -> int:
    """Prints an error, with a traceback only if ``VERBOSE`` is set, and returns its exit code."""
    if os.environ.get(VERBOSE, "0") not in ("", "0"):
        traceback.print_exception(error)
    say(f"error: {with_key(error)}")
    return error.exit_code
