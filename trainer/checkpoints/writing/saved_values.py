"""Selection of the variables that a run's checkpoints hold, and the ops that read them at a save."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.checkpoints.contents import Tensor
from trainer.checkpoints.restoring.compatibility import wanted_by
from trainer.checkpoints.writing.snapshot import LiveValues, Snapshot
from trainer.checks import matching, suggestion
from trainer.graph.build import GraphContext
from trainer.graph.ops.variables import key_of, slice_spec_of, variable_bytes, variables_by_key
from trainer.graph.state.run_savers import make_saver, saveables_of
from trainer.graphdef.signatures import signatures_of

v1 = tf.compat.v1

VarList = Sequence[str] | Mapping[str, str] | None
"""Names or patterns of variables, or names of variables by their names in the file; None for all."""


@dataclass(frozen=True)
class SavedValues:
    """Ops and Savers for the values that checkpoints hold, made while the graph is open.

    Args:
        live: Live values, for saves that training waits for.
        copies: Copies of the values for saves in the background, or None.
        wanted: Tensors that the Saver in the ``.meta`` restores, by name in the file.
        left_out: Names of variables and other saved objects that a resume needs and the checkpoints lack.
        count: Number of variables and other saved objects in the graph.
        variable_bytes: Size of all variables in bytes.
        signatures: SignatureDefs for the ``.meta``, by key.
        constructor_ops: Names of the ops that the ``.meta`` leaves out, since they only give initial values.
    """

    live: LiveValues
    copies: Snapshot | None
    wanted: Mapping[str, Tensor]
    left_out: tuple[str, ...]
    count: int
    variable_bytes: int
    signatures: Mapping[str, Any]
    constructor_ops: frozenset[str] = frozenset()


def values_to_save(build: GraphContext, var_list: VarList, *, with_copies: bool) -> SavedValues:
    """Adds the ops and Savers for saves to the open graph.

    Args:
        build: Open graph of the run; what it holds later is in no checkpoint.
        var_list: Variables to save; ``global_step`` is always among them.
        with_copies: Whether to add copies for saves in the background.

    Raises:
        ValueError: A name or pattern matches no variable; the message has close names.
    """
    build.savers.build()
    objects, owners = saved_objects(build.graph)
    saver, left_out = build.saver, []
    if var_list is not None:
        fixed = {each.name for each in saveables_of(build.graph)}
        chosen = chosen_names(var_list, owners, fixed, key_of(build.global_step))
        left_out = [name for name in objects if chosen.get(name) != name]
        saver = make_saver({stored: objects[name] for stored, name in chosen.items()})
    part = build.inference
    return SavedValues(
        live=LiveValues(saver),
        copies=Snapshot(saver) if with_copies else None,
        wanted=wanted_by(saver),
        left_out=tuple(left_out),
        count=len(objects),
        variable_bytes=variable_bytes(build.graph),
        signatures=signatures_of(part.inputs, part.labels, part.outputs, part.loss),
        constructor_ops=build.given.ops,
    )


def saved_objects(graph: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns all that a Saver of a graph saves: variables, lists of the parts of one, and other saveables.

    Returns:
        The objects by name in the file; and these names by all names that an object goes by, such as those
        of its parts.
    """
    objects: dict[str, Any] = {each.name: each for each in saveables_of(graph)}
    owners = {name: name for name in objects}
    for key, parts in variables_by_key(graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)).items():
        objects[key] = parts if slice_spec_of(parts[0]) else parts[0]
        owners |= dict.fromkeys((key, *(part.op.name for part in parts)), key)
    return objects, owners


def chosen_names(
    var_list: Sequence[str] | Mapping[str, str], owners: Mapping[str, str], fixed: Collection[str], global_step: str
) -> dict[str, str]:
    """Returns the names of what a ``var_list`` selects, by their names in the file.

    A part of a partitioned variable selects the whole: alone, it could not be restored.

    Args:
        var_list: Names or patterns (``dense/*``), or names of variables by their names in the file.
        owners: Names in the file of all that can be saved, by all names that each goes by.
        fixed: Names of tables and the like, whose names in the file cannot be chosen.
        global_step: Name of the variable that is always selected.

    Raises:
        ValueError: A name or pattern matches nothing; the message has close names.

    Example:
        >>> names = {"table": "table", "table/part_0": "table", "global_step": "global_step"}
        >>> chosen_names(["table/*"], names, (), "global_step")
        {'table': 'table', 'global_step': 'global_step'}
    """
    if isinstance(var_list, Mapping):
        chosen = {stored: owners[_known(name, owners)] for stored, name in var_list.items()}
    else:
        found = (owners[name] for pattern in var_list for name in matching("var_list", pattern, owners))
        chosen = {name: name for name in found}
    for stored, name in chosen.items():
        if name in fixed and stored != name:
            raise ValueError(f"var_list: {name!r} is no variable, so its name in the file cannot be {stored!r}")
    if global_step not in chosen.values():
        chosen[global_step] = global_step
    return chosen


def _known(name: str, names: Mapping[str, str]) -> str:
    if name in names:
        return name
    if (without_port := name.removesuffix(":0")) in names:
        return without_port
    raise ValueError(f"var_list: there is no variable {name!r}; {suggestion(name, names)}")
