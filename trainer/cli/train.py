"""The way in: Hydra composes the config, errors become exit codes. No TensorFlow is imported here."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from trainer.cli.stdout import close_output
from trainer.config import schema
from trainer.config.keys import with_key
from trainer.config.validate import validate
from trainer.errors import Interrupted, RequestError, TrainerError
from trainer.training.signals import Signals

PACKAGE = Path(__file__).parent.parent
VERBOSE = "TRAINER_VERBOSE"
"""The environment variable that shows tracebacks, as ``-v`` does."""


def conf_directory() -> Path:
    """Returns the directory of the config: inside the installed package, or beside it in a checkout.

    Absolute, so that a working directory with a ``conf/`` of its own never shadows it.
    """
    installed = PACKAGE / "conf"
    return installed if installed.is_dir() else PACKAGE.parent / "conf"


def main() -> None:
    """Runs the command line and exits with the code of what happened."""
    # Hydra would print its own report and exit with 1; this makes it raise.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # A reader that has gone (trainer ... | head) must neither stop a run nor fill the terminal.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    sys.argv[1:] = arguments(sys.argv[1:])
    schema.register()
    outcomes: list[Outcome] = []

    def job(config: DictConfig) -> None:
        outcomes.append(run_job(config))

    command = hydra.main(config_path=str(conf_directory()), config_name="train", version_base="1.3")(job)
    try:
        command()
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        from trainer.config.messages import explain  # composes the config once more to find close matches

        overrides = [each for each in sys.argv[1:] if not each.startswith("-")]
        sys.exit(tell(RequestError(explain(error, overrides, conf_directory()))))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        close_output()
    sys.exit(exit_code(outcomes))


def arguments(typed: list[str]) -> list[str]:
    """Returns the arguments for Hydra, which knows no ``-v`` and wants a plus before ``experiment=``."""
    others = [each for each in typed if each not in ("-v", "--verbose")]
    if len(others) < len(typed):
        os.environ[VERBOSE] = "1"
        for package in ("trainer", "callbacks"):
            logging.getLogger(package).setLevel(logging.DEBUG)
    return [f"+{each}" if each.startswith("experiment=") else each for each in others]


@dataclass(frozen=True)
class Outcome:
    """How a job of the command line ended.

    Args:
        overrides: that made it.
        error: why it failed, or None.
    """

    overrides: str
    error: TrainerError | None


def run_job(config: DictConfig) -> Outcome:
    """Runs one job: the only one, or one of a sweep, whose other jobs go on if it fails."""
    overrides = " ".join(HydraConfig.get().overrides.task)
    try:
        start(config, f"python -m trainer {overrides}")
    except Interrupted as error:
        tell(error)
        sys.exit(error.exit_code)
    except TrainerError as error:
        tell(error)
        return Outcome(overrides, error)
    return Outcome(overrides, None)


def start(config: DictConfig, command: str) -> None:
    """Checks the config and hands it to the composition root."""
    choices = HydraConfig.get().runtime.choices
    experiment = choices.get("experiment")
    if experiment is None and choices.get("model") is None:
        names = ", ".join(sorted(path.stem for path in (conf_directory() / "experiment").glob("*.yaml")))
        raise RequestError(f"no experiment is chosen; add +experiment=NAME, one of: {names}")
    settings = validate(config, experiment)
    from trainer.cli.assemble import run  # not needed for --help, --cfg and refusals

    with Signals() as signals:
        run(config, settings, command, signals)


def tell(error: TrainerError) -> int:
    """Prints what went wrong, without a traceback unless it is asked for; returns the exit code."""
    if os.environ.get(VERBOSE, "0") not in ("", "0"):
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.write(f"error: {with_key(error)}\n")
    return error.exit_code


def exit_code(outcomes: list[Outcome]) -> int:
    """Returns the code of the only job; of a sweep, 1 if any failed, with a line for each that did."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1:
        lines = [f"  {outcome.overrides}: {str(outcome.error).splitlines()[0]}" for outcome in failed]
        logging.getLogger(__name__).info("\n".join([f"{len(failed)} of {len(outcomes)} jobs failed", *lines]))
        return 1 if failed else 0
    return failed[0].error.exit_code if failed and failed[0].error else 0
