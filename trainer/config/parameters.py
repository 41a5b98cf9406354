"""Parameters of a ``_target_``, with the types that its signature and the documentation of Keras give them."""

from __future__ import annotations

import inspect
import sys
import sysconfig
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from trainer.config.annotations import OURS, Range

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
REQUIRED = inspect.Parameter.empty
"""Default of a parameter that has none."""

Share = Annotated[float, Range(least=0, most=1)]
Positive = Annotated[float, Range(above=0)]
Count = Annotated[int, Range(least=1)]

OF_OPTIMIZERS: Mapping[str, Any] = {
    "alpha": float,
    "beta1": Share,
    "beta2": Share,
    "beta_1": Share,
    "beta_2": Share,
    "boundaries": Sequence[float],
    "clipnorm": Positive | None,
    "clipvalue": Positive | None,
    "decay_rate": float,
    "decay_steps": Positive,
    "ema_momentum": Share,
    "ema_overwrite_frequency": Count | None,
    "end_learning_rate": float,
    "epsilon": Annotated[float, Range(least=0)],
    "first_decay_steps": Positive,
    "global_clipnorm": Positive | None,
    "gradient_accumulation_steps": Annotated[int, Range(least=2)] | None,
    "initial_learning_rate": Annotated[float, Range(least=0)],
    "learning_rate": Positive,
    "loss_scale_factor": Positive | None,
    "momentum": Share,
    "power": float,
    "rho": Share,
    "values": Sequence[float],
    "warmup_steps": Annotated[int, Range(least=0)],
    "warmup_target": Annotated[float, Range(least=0)] | None,
    "weight_decay": Annotated[float, Range(least=0)] | None,
}
"""Types and ranges of the arguments of optimizers and schedules, which have no annotations in Keras and TensorFlow."""

BASES = ("BaseOptimizer", "Optimizer", "LearningRateSchedule")
LIBRARIES = ("keras.", "tensorflow.")
INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
"""Directories of packages whose arguments mean more than their defaults tell."""

Origin = Literal["ours", "tensorflow", "installed", "user"]

DECAYS = "learning_rate_decay"
"""Ending of TensorFlow's modules of schedules that are functions."""


@dataclass(frozen=True)
class Parameter:
    """Parameter that a config can set.

    Args:
        name: Name of the parameter.
        annotation: Type of its values; Any if nothing is known.
        default: Default, or REQUIRED.
        is_inferred: Whether the type is that of the default, since the user's code has no annotation.
    """

    name: str
    annotation: Any
    default: Any = REQUIRED
    is_inferred: bool = False


@dataclass(frozen=True)
class Parameters:
    """Parameters of a class or function.

    Args:
        named: Parameters by name, in the order of the signature.
        others: Types of arguments that only ``**kwargs`` takes, by name; None if there is no ``**kwargs``.
        is_strict: Whether nan and the infinities are refused.
    """

    named: Mapping[str, Parameter]
    others: Mapping[str, Any] | None = None
    is_strict: bool = False

    def get(self, name: str) -> Parameter | None:
        """Returns the parameter of a name, or None if nothing takes it."""
        if name in self.named or self.others is None:
            return self.named.get(name)
        return Parameter(name, self.others.get(name, Any))


def parameters_of(found: Any) -> Parameters | None:
    """Returns the parameters of a class or function, or None if it has no signature.

    Args:
        found: Object that a ``_target_`` names.

    Example:
        >>> def net(units: int, rate=0.5, name=None): ...
        >>> [(each.name, each.annotation) for each in parameters_of(net).named.values()]
        [('units', <class 'int'>), ('rate', <class 'float'>), ('name', typing.Any)]
    """
    arguments = _arguments_of(found)
    if arguments is None:
        return None
    known = OF_OPTIMIZERS if _is_of_optimizers(found) else {}
    origin = _origin_of(found)
    names = _globals_of(found)
    named = {each.name: _parameter(each, known, names, origin) for each in arguments if each.kind in NAMED}
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments)
    return Parameters(named, known if takes_any else None, is_strict=bool(known) or origin == "ours")


def _arguments_of(found: Any) -> Sequence[inspect.Parameter] | None:
    try:
        arguments = list(inspect.signature(found).parameters.values())
        if inspect.isclass(found) and arguments and not any(each.kind in NAMED for each in arguments):
            # A __new__(cls, *args, **kwargs) hides the signature of __init__.
            arguments = list(inspect.signature(found.__init__).parameters.values())[1:] or arguments
    except (TypeError, ValueError):
        return None
    return arguments


def _origin_of(found: Any) -> Origin:
    module = str(getattr(found, "__module__", ""))
    if module.partition(".")[0] in OURS:
        return "ours"
    if module.startswith(LIBRARIES):
        return "tensorflow"
    file = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    return "installed" if any(folder in file.parents for folder in INSTALLED) else "user"


def _is_of_optimizers(found: Any) -> bool:
    if not inspect.isclass(found):
        return str(getattr(found, "__module__", "")).endswith(DECAYS)
    return any(each.__name__ in BASES and each.__module__.startswith(LIBRARIES) for each in found.__mro__)


def _globals_of(found: Any) -> dict[str, Any]:
    function = inspect.unwrap(found.__init__ if inspect.isclass(found) else found)
    return getattr(function, "__globals__", {})


def _parameter(given: inspect.Parameter, known: Mapping[str, Any], names: dict[str, Any], origin: Origin) -> Parameter:
    default = given.default
    if given.annotation is not REQUIRED:
        annotation = _resolved(given.annotation, names)
        return Parameter(given.name, annotation | None if default is None else annotation, default)
    if given.name in known:
        return Parameter(given.name, known[given.name], default)
    annotation = _type_of(default, origin, is_number=bool(known))
    return Parameter(given.name, annotation, default, is_inferred=annotation is not Any and origin == "user")


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    """Returns an annotation as an object; Any if it names something that exists for type checkers only."""
    try:
        holder: Any = SimpleNamespace(__annotations__={"it": annotation})
        return typing.get_type_hints(holder, names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - an annotation may be any expression
        return Any


def _type_of(default: Any, origin: Origin, *, is_number: bool) -> Any:
    """Returns the type of the values that an argument without annotation accepts, by its default.

    Args:
        default: Default of the argument.
        origin: Origin of the code. Layers of Keras accept several numbers, or null, in place of one.
        is_number: Whether an argument whose default is a number is known to accept only one.
    """
    if origin == "installed" or not isinstance(default, bool | int | float):
        return Any
    if isinstance(default, bool):
        return bool
    return float if is_number or origin != "tensorflow" else float | Sequence[Any] | None
