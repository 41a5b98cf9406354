"""Composition root: the one place that turns the config into objects."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from trainer import export, graph, training
from trainer.cli.objective import Objective, key_named
from trainer.cli.optimizers import optimizer_maker, rates_are_set
from trainer.cli.overfitting import tell_of_overfitting, watching_alone
from trainer.config.allowed_targets import Allowed, check_permissions
from trainer.config.changes import Change, check_changes, digest, is_same_job
from trainer.config.check_arguments import check_arguments
from trainer.config.debug import IN_TEMPORARY_DIRECTORY
from trainer.config.optimizer_parts import is_rate
from trainer.config.schema import temporary_directory
from trainer.config.shipped_callbacks import is_hidden, join_packages
from trainer.config.targets import explain_target
from trainer.errors import RequestError, TrainerError
from trainer.model import Model
from trainer.runs.directory import RunDirectory
from trainer.runs.settings import Settings
from trainer.runs.stored_config import stored_config
from trainer.tensorflow_import import import_tensorflow
from trainer.timing import timed
from trainer.training.callback_list import CallbackList
from trainer.training.job import Invocation, Job
from trainer.training.signals import Signals

log = logging.getLogger(__name__)


class _Typed(NamedTuple):
    """Command and overrides of a run, as typed."""

    command: str
    overrides: tuple[str, ...]


FULL_KEY = re.compile(r"full_key: (\S+)")


def run(
    config: DictConfig,
    settings: Settings,
    command: str,
    signals: Signals,
    typed: Sequence[str],
    objective: Objective | None = None,
) -> None:
    """Runs the training that the config describes.

    Steps that need no TensorFlow come first, so that a wrong request is refused at once.

    Args:
        config: Composed and checked config.
        settings: Part of the config that is not nodes.
        command: Command as typed, for ``run.json``.
        signals: Signals caught since the start of the process.
        typed: Overrides as typed, which alone may open files of others and name further modules.
        objective: Number that the run is to report, which learns of its directory; None for none.

    Raises:
        RequestError: The request cannot be carried out; nothing was created.
        TrainerError: The run failed.
    """
    make = Factory(check_permissions(_plain(config), typed))
    if config.trust:
        _trust(config)
    if config.debug in IN_TEMPORARY_DIRECTORY and not any(each.startswith("run.") for each in typed):
        # Not as run.root, since an experiment may take weights of another run from there.
        settings = replace(settings, root=Path(temporary_directory()), run_dir=None)
    with signals.at_once():
        job = _job(config, settings, _Typed(command, tuple(typed)), make, objective)
    if job is None:
        return
    signals.check()
    if config.debug == "shapes":
        log.info("%s", training.table_of_layers(job))
        return
    with key_named():
        training.train_job(job, signals)
    if config.debug == "overfit":
        tell_of_overfitting(job.callbacks)


def _trust(config: Any) -> None:
    """Sets the key ``trust`` of all nodes that have one: the key at the top stands for them."""
    for name in list(config):
        if name == "trust":
            config[name] = True
        elif isinstance(config._get_node(name), DictConfig):
            _trust(config[name])


def _job(
    config: DictConfig, settings: Settings, typed: _Typed, make: Factory, objective: Objective | None
) -> Job | None:
    """Returns the parts of the run; None where there is nothing to do."""
    run = training.prepare(
        settings,
        _callbacks(config, settings, make, objective),
        lambda directory: _accepted_changes(directory, config, settings),
        is_own=_finder(config) if objective is not None and objective.is_job else None,
    )
    if run.is_complete:
        if objective is not None:
            objective.directory, objective.was_finished = run.start.run.path, True
        if run.start.is_finished:
            log.info("finished before: %s", run.start.run.path)
        else:
            log.info("%s: nothing to do, %s", run.start.run.path, run.completion)
        return None
    run.tell()
    with timed("reading the data"):
        data = make("data", config.data)
    import_tensorflow(settings.session)
    return run.job(
        make_model=lambda: make("model", config.model),
        make_optimizer=optimizer_maker(config.optimizer, make),
        data=data,
        rate_can_be_scaled=rates_are_set(config.optimizer),
        new_learning_rate=any(is_rate(change.key) for change in run.changes),
        debug=config.debug,
        invocation=_invocation(config, typed, run.changes),
    )


def _finder(config: DictConfig) -> Callable[[RunDirectory], bool]:
    """Returns a function that knows the runs of a job of a sweep by their stored configs."""
    plain = _plain(config)
    own_digest = digest(plain)

    def is_own(run: RunDirectory) -> bool:
        # Reading YAML takes long, and most runs of a sweep differ in their digests.
        if run.info().config_digest not in (None, own_digest):
            return False
        stored = stored_config(run.path)
        return stored is not None and is_same_job(stored, plain)

    return is_own


def _callbacks(config: DictConfig, settings: Settings, make: Factory, objective: Objective | None) -> CallbackList:
    targets = _targets(config)
    if is_hidden() or any(not target.startswith(("trainer.", "callbacks.")) for target in targets):
        # A module of the user may import TensorFlow by itself, and then nothing keeps its import quiet.
        import_tensorflow(settings.session)
    join_packages(targets)
    made = {str(name): make(f"callbacks.{name}", node) for name, node in config.callbacks.items()}
    made = watching_alone(made) if config.debug == "overfit" else made
    return CallbackList(made if objective is None else objective.beside(made))


def _invocation(config: DictConfig, typed: _Typed, changes: Sequence[Change]) -> Invocation:
    return Invocation(
        command=typed.command,
        config_text=f"# {typed.command}\n{OmegaConf.to_yaml(config, resolve=True)}",
        config_digest=digest(_plain(config)),
        changes=tuple(map(str, changes)),
        overrides=typed.overrides,
    )


def _plain(config: DictConfig) -> Any:
    return OmegaConf.to_container(config, resolve=True)


def parts_of(run: Path, modules: Collection[str] = ()) -> tuple[Callable[[], Model], Any]:
    """Returns a function that makes the model of a run, and the data of the run, by its stored config.

    Args:
        run: Directory of the run.
        modules: Modules that the config may name besides those that all may.

    Raises:
        RequestError: There is no config, or an object that it names no longer exists.
    """
    config, make = _stored_parts(run), Factory(Allowed(frozenset(modules)))
    make_model = graph.made_in(config.get("precision"), lambda: make("model", config.model))
    return make_model, make("data", config.data)


def keras_parts_of(run: Path, modules: Collection[str] = ()) -> tuple[Callable[[], Any], Any]:
    """Returns a function that makes the net of a run of ``model=keras``, and the data of the run, by its stored config.

    Args:
        run: Directory of the run.
        modules: Modules that the config may name besides those that all may.

    Raises:
        RequestError: There is no config, the model is no Keras model, or an object that it names no longer exists.
    """
    config, make = _stored_parts(run), Factory(Allowed(frozenset(modules)))
    export.check_net(str(config.model.get("_target_")), run)
    make_net = graph.made_in(config.get("precision"), lambda: make("model.net", config.model.net))
    return make_net, make("data", config.data)


def _stored_parts(run: Path) -> Any:
    stored = stored_config(run)
    if stored is None or not {"model", "data"} <= stored.keys():
        raise RequestError(f"{run} has no config.yaml that names a model and data, so the model cannot be built")
    return OmegaConf.create(dict(stored))


def _targets(config: DictConfig) -> list[str]:
    """Returns the targets of the nodes that are instantiated before the graph is open."""
    nodes = OmegaConf.to_yaml({"callbacks": config.callbacks, "data": config.data})
    return re.findall(r"_target_: (\S+)", nodes)


def _accepted_changes(run: Path, config: DictConfig, settings: Settings) -> list[Change]:
    """Returns the changes of the config that a resume accepts."""
    stored = stored_config(run)
    return [] if stored is None else check_changes(stored, _plain(config), allow=settings.may_change)


class Factory:
    """Maker of the objects that a config names.

    Args:
        allowed: What the config may name besides what all may.
    """

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def __call__(self, key: str, node: Any, **extra: Any) -> Any:
        """Returns the object of a node; its arguments are checked first.

        Constructors receive plain Python lists and dicts.

        Args:
            key: Dotted key of the node, which errors name.
            node: Node of the config.
            **extra: Further arguments.

        Raises:
            RequestError: The node names nothing that a config may call, or its arguments are wrong.
        """
        check_arguments(key, _plain(node), self._allowed)
        try:
            return instantiate(node, _convert_="all", **extra)
        except InstantiationException as error:
            cause = error.__cause__
            if isinstance(cause, TrainerError):
                raise cause from None
            inner = FULL_KEY.search(str(error))
            where = inner.group(1) if inner and inner.group(1).startswith(f"{key}.") else key
            raise RequestError(f"{where}: {explain_target(_failed_target(node, error), cause)}") from error


def _failed_target(node: DictConfig, error: InstantiationException) -> str:
    """Returns the ``_target_`` of the node, or of an inner node if Hydra names one."""
    inner = FULL_KEY.search(str(error))
    for key in inner.group(1).split(".") if inner else []:
        found = node.get(key)
        if isinstance(found, DictConfig) and "_target_" in found:
            node = found
    return str(node["_target_"])
