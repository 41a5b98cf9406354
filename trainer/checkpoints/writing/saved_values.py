"""Selection of the variables that a run's checkpoints hold, and the ops that read them at a save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
from trainer.checks import matching, suggestion
from trainer.graph.build import GraphContext
from trainer.graph.variables import make_saver, variable_bytes, variables_by_name
from trainer.graphdef.signatures import signatures_of

v1 = tf.compat.v1

VarList = Sequence[str] | Mapping[str, str] | None
"""Names or patterns of variables, or names of variables by their names in the file; None for all."""


@dataclass(frozen=True)
class SavedValues:
    """Ops and Savers for the values that checkpoints hold, made while the graph is open.

    Args:
        live: Live variables, for saves that training waits for.
        copies: Copies of the variables for saves in the background, or None.
        left_out: Names of variables and data pipelines that a resume needs and the checkpoints lack.
        variables: Number of variables in the graph.
        variable_bytes: Size of all variables in bytes.
        signatures: SignatureDefs for the ``.meta``, by key.
        constructor_ops: Names of the ops that the ``.meta`` leaves out, since they only give initial values.
    """

    live: LiveValues
    copies: Snapshot | None
    left_out: tuple[str, ...]
    variables: int
    variable_bytes: int
    signatures: Mapping[str, Any]
    constructor_ops: frozenset[str] = frozenset()


def values_to_save(build: GraphContext, var_list: VarList, *, with_copies: bool) -> SavedValues:
    """Adds the ops and Savers for saves to the open graph.

    Args:
        build: Open graph of the run.
        var_list: Variables to save; ``global_step`` is always among them.
        with_copies: Whether to add copies for saves in the background.

    Raises:
        ValueError: A name or pattern matches no variable; the message has close names.
    """
    variables = variables_by_name(build.graph)
    pipelines = build.graph.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS)
    chosen, saver, left_out = variables, build.saver, []
    if var_list is not None:
        chosen = chosen_variables(var_list, variables, build.global_step)
        left_out = [name for name in variables if name not in chosen or chosen[name] is not variables[name]]
        left_out += [pipeline.name for pipeline in pipelines]
        saver, pipelines = make_saver(chosen), []
    part = build.inference
    return SavedValues(
        live=LiveValues(saver, variables),
        copies=Snapshot(chosen, pipelines) if with_copies else None,
        left_out=tuple(left_out),
        variables=len(variables),
        variable_bytes=variable_bytes(build.graph),
        signatures=signatures_of(part.inputs, part.labels, part.outputs, part.loss),
        constructor_ops=build.given.ops,
    )


def chosen_variables(var_list: VarList, variables: Mapping[str, Any], global_step: Any) -> dict[str, Any]:
    """Returns the variables that a ``var_list`` selects, by their names in the file.

    Args:
        var_list: Names or patterns (``dense/*``), or names of variables by their names in the file.
        variables: All global variables by name.
        global_step: Variable that is always selected.

    Raises:
        ValueError: A name or pattern matches no variable; the message has close names.
    """
    if var_list is None:
        chosen = dict(variables)
    elif isinstance(var_list, Mapping):
        chosen = {stored: _variable(name, variables) for stored, name in var_list.items()}
    else:
        chosen = {name: variables[name] for pattern in var_list for name in matching("var_list", pattern, variables)}
    if not any(variable is global_step for variable in chosen.values()):
        chosen[global_step.op.name] = global_step
    return chosen


def _variable(name: str, variables: Mapping[str, Any]) -> Any:
    name = name.removesuffix(":0")
    if name not in variables:
        raise ValueError(f"var_list: there is no variable {name!r}; {suggestion(name, variables)}")
    return variables[name]
