"""Objects that a config may name; no TensorFlow.

A ``_target_`` is called with arguments of the config's choice, so a config of somebody else could call anything that is
installed. What it may call are the parts that configs are made of: those of this trainer, of Keras and TensorFlow, and
modules of one's own.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import site
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import RequestError

OURS = (
    "callbacks",
    "trainer.api",
    "trainer.data",
    "trainer.graph.optimizers",
    "trainer.model",
    "trainer.models",
    "trainer.trunks",
)
"""Modules of this trainer that configs name."""

KERAS = {"activations", "applications", "constraints", "initializers", "layers", "losses", "metrics", "models"}
KERAS |= {"optimizers", "regularizers"}
"""Parts of Keras that configs name."""

LOADERS = re.compile(r"tfsm_layer|torch_utils|jax_layer|cloning")
LOADS = re.compile(r"(load|save|de)?_?(serialize|from|model|weights|get)\w*")
"""Modules and functions of these parts that load a program from a file or a config, or run other code."""

TENSORFLOW = re.compile(
    r"tensorflow\.python\.(keras\.optimizer_v2|keras\.optimizers|ops\.(losses|metrics_impl|init_ops|nn|gen_nn|math|gen_math)"
    r"|training\.(experimental\.loss_scale|learning_rate_decay|ada|ftrl|gradient_descent|momentum|moving_averages"
    r"|proximal_|rmsprop|sync_replicas))"
)
"""Modules of TensorFlow that configs name: optimizers and rates, losses, metrics, initial values, functions."""

HARMLESS = {("builtins", name) for name in ("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list")}
HARMLESS |= {("builtins", name) for name in ("range", "set", "slice", "str", "tuple")} | {("pathlib", "Path")}
HARMLESS |= {("collections", "OrderedDict"), ("datetime", "timedelta"), ("fractions", "Fraction")}
"""Objects of Python that only make a value."""

OF_HYDRA = re.compile(
    r"hydra(_plugins)?\.|optuna\.samplers\.\w+$"
    r"|colorlog\.ColoredFormatter$|logging\.(Formatter|StreamHandler|FileHandler|NullHandler)$"
)
"""What the part of a config for Hydra itself may name: Hydra calls it before a job begins."""

CALLED = ("_target_", "class", "()", "custom_search_space")
"""Keys of what Hydra and its sweepers call, and of what Python's ``logging`` calls for it."""

TRUST, ALLOW, COMMAND = "trust", "allow", "command"
"""Keys that count only as typed."""

RUNNING_COMMANDS = "callbacks.notify."
"""Prefix of the targets whose ``command`` is run."""

NAMED = re.compile(r"_target_[\"']?\s*[:=]\s*[\"']?([A-Za-z_][\w.]*)")
"""Target in an override, or in a mapping that an override gives."""


@dataclass(frozen=True)
class Allowed:
    """Names that a config may use besides those that all may.

    Args:
        modules: Names of top-level modules.
        targets: Names of objects; none of Python itself.

    Example:
        >>> Allowed().check("model", "subprocess.run")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        trainer.errors.RequestError: model._target_ (subprocess.run) is not one of the objects that a config may call...
        >>> Allowed(frozenset({"subprocess"})).check("model", "subprocess.run")
    """

    modules: Collection[str] = frozenset()
    targets: Collection[str] = frozenset()

    def check(self, key: str, target: str) -> None:
        """Refuses a name by its module, before that is imported.

        Raises:
            RequestError: A config may not call it.
        """
        module, _, name = target.rpartition(".")
        top = module.partition(".")[0] or target
        if not (self._is_typed(target, top) or self._may_name(top, module, name)):
            raise RequestError(_refusal(key, target, module), argument=f"{key}._target_")

    def check_object(self, key: str, target: str, found: Any) -> None:
        """Refuses an object by where it is defined, under whatever name the config reaches it.

        Raises:
            RequestError: A config may not call it.
        """
        module, name = home_of(found)
        if not (self._is_typed(target, module.partition(".")[0]) or self._is_allowed(module, name)):
            raise RequestError(_refusal(key, target, f"{module}.{name}"), argument=f"{key}._target_")

    def _is_typed(self, target: str, top: str) -> bool:
        return target in self.targets and not _is_of_python(top)

    def _may_name(self, top: str, module: str, name: str) -> bool:
        known = ("trainer", "callbacks", "keras", "tensorflow", "tf_keras")
        return top in known or self._is_allowed(module, name) or not is_installed(top)

    def _is_allowed(self, module: str, name: str) -> bool:
        top = module.partition(".")[0]
        if top in self.modules or (module, name) in HARMLESS:
            return True
        if top in ("trainer", "callbacks"):
            return any(module == ours or module.startswith(f"{ours}.") for ours in OURS)
        if top in ("keras", "tf_keras"):
            part = module.removeprefix(f"{top}.").removeprefix("src.").partition(".")[0]
            return part in KERAS and not LOADERS.search(module) and not LOADS.fullmatch(name) and "." not in name
        if top == "tensorflow":
            return TENSORFLOW.match(module) is not None and "." not in name
        return not is_installed(top)


def allowed_by(typed: Iterable[str], modules: Collection[str] = ()) -> Allowed:
    """Returns what configs may name: also what a person typed as a ``_target_``.

    Args:
        typed: Overrides as typed.
        modules: Names of further modules.

    Example:
        >>> allowed_by(["data.examples._target_=sklearn.datasets.load_iris", "loop.epochs=2"]).targets
        frozenset({'sklearn.datasets.load_iris'})
    """
    return Allowed(frozenset(modules), frozenset(each for text in typed for each in NAMED.findall(text)))


def targets_in(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the keys and targets of all nodes in a value."""
    if isinstance(value, Mapping):
        if isinstance(value.get("_target_"), str):
            yield key, value["_target_"]
        for name, each in value.items():
            yield from targets_in(f"{key}.{name}" if key else str(name), each)
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from targets_in(f"{key}[{i}]", each)


def home_of(found: Any) -> tuple[str, str]:
    """Returns the module in which an object is defined, and its name there.

    Example:
        >>> import os, functools
        >>> home_of(functools.partial(os.system, "true"))
        ('posix', 'system')
    """
    while isinstance(found, functools.partial | functools.partialmethod):
        found = found.func
    owner = getattr(found, "__self__", None)
    if owner is not None and not isinstance(owner, type(importlib)):
        found = owner
    if not isinstance(getattr(found, "__module__", None), str) or not hasattr(found, "__name__"):
        found = type(found)
    return str(found.__module__), str(found.__qualname__)


@functools.cache
def is_installed(top: str) -> bool:
    """Returns whether a top-level module is one of Python or of an installed package, and none of one's own.

    Modules of one's own are in the working directory, on PYTHONPATH or installed in place; one that is not there is
    nobody's.
    """
    if _is_of_python(top):
        return True
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.origin and spec.has_location else list(spec.submodule_search_locations or [])
    kept = {sysconfig.get_path(name) for name in ("purelib", "platlib")} | {*site.getsitepackages()}
    kept.add(site.getusersitepackages())
    return any(Path(place).resolve().is_relative_to(Path(each).resolve()) for place in places for each in kept)


def _is_of_python(top: str) -> bool:
    return top in sys.stdlib_module_names or top in sys.builtin_module_names


def _refusal(key: str, target: str, module: str) -> str:
    top = module.partition(".")[0] or target
    is_it = "" if target.startswith(f"{module}.") or target == module else f" is {module}, which"
    return (
        f"{key}._target_ ({target}){is_it} is not one of the objects that a config may call: those of this trainer, "
        "the optimizers, losses, metrics and layers of Keras and TensorFlow, and modules of your own in the working "
        f"directory or on PYTHONPATH; if you know what it does, allow its module on the command line: allow=[{top}]"
    )


def check_permissions(config: Mapping[str, Any], typed: Sequence[str]) -> Allowed:
    """Refuses what a config allows itself, and names of objects that it may not call; nothing is imported.

    Args:
        config: Composed config, as plain Python.
        typed: Overrides as typed: what they say is the person's own word, even where a file says it too.

    Returns:
        What the config may name.

    Raises:
        RequestError: A file says ``trust`` or ``allow``, or names a command to run, or a ``_target_`` is none that a
            config may call.
    """
    words = [text.lstrip("+") for text in typed]
    for key in _permissions("", config):
        if not any(text.startswith((f"{key}=", f"{TRUST}=")) or _holds(text, key) for text in words):
            raise RequestError(f"{key} is set in a file of configs; {_remedy(key)}", argument=key)
    allowed = allowed_by(words, config.get(ALLOW) or ())
    for key, target in targets_in("", config):
        allowed.check(key, target)
    return allowed


def _remedy(key: str) -> str:
    if key.endswith(f".{COMMAND}"):
        return f"a command runs with your rights, so it counts only on the command line: add {key}=..., or trust=true"
    value = "[MODULE]" if key == ALLOW else "true"
    return f"what opens files and modules of others counts only on the command line: add {key}={value}"


def _permissions(key: str, value: Any) -> Iterator[str]:
    """Yields the keys that open files or modules of others, or run commands."""
    if not isinstance(value, Mapping):
        return
    for name, each in value.items():
        inner = f"{key}.{name}" if key else str(name)
        target = str(value.get("_target_"))
        ours = not key or target.startswith(("trainer.", "callbacks."))
        runs = name == COMMAND and target.startswith(RUNNING_COMMANDS)
        if each and ((name == TRUST and ours) or inner == ALLOW or runs):
            yield inner
        yield from _permissions(inner, each)


def _holds(typed: str, key: str) -> bool:
    """Returns whether an override gives a mapping that holds a key."""
    name, _, value = typed.partition("=")
    return key.startswith(f"{name}.") and value.startswith("{")


def check_hydra(value: Any, key: str = "hydra") -> None:
    """Refuses what Hydra would call for a file of configs, other than parts and plugins of its own.

    Raises:
        RequestError: The file names something else.
    """
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name in CALLED and isinstance(each, str) and not OF_HYDRA.match(each):
                raise RequestError(
                    f"{key}.{name} ({each}) is no part of Hydra, which would call it before anything can be checked"
                )
            check_hydra(each, f"{key}.{name}")
    elif isinstance(value, list):
        for i, each in enumerate(value):
            check_hydra(each, f"{key}[{i}]")
