"""Net as its picture shows it: what depends on the inputs, and the parameters and flags that each op uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, PLACEHOLDERS
from trainer.graphdef.traverse import downstream, upstream
from trainer.inspection.graphs import strong_components
from trainer.inspection.ops import Op

LOOP = "Loop"
"""Type of an op that stands for the ops of a loop of TensorFlow 1."""


@dataclass(frozen=True)
class Net:
    """Ops that depend on the inputs, without circles.

    Args:
        ops: Ops, each after those that it reads; inputs among them.
        outputs: Names of the ops that are outputs.
        parameters: Parameters that each op uses, also through constant ops.
        flags: Names of the scalar inputs that each op uses, also through ops that depend on nothing else.
    """

    ops: Sequence[Op]
    outputs: Collection[str]
    parameters: Mapping[str, Sequence[Op]]
    flags: Mapping[str, Sequence[str]]

    @cached_property
    def reads(self) -> dict[str, list[str]]:
        """Names of the shown ops that each op reads."""
        names = {op.name for op in self.ops}
        return {op.name: [name for name in dict.fromkeys(op.inputs) if name in names] for op in self.ops}


def net_of(operations: Sequence[Op], outputs: Collection[str], flags: Collection[str] = ()) -> Net:
    """Returns what a picture shows of an inference part.

    Args:
        operations: Ops of the inference part.
        outputs: Names of the ops that are outputs.
        flags: Names of inputs of an unknown shape that only set how the net computes.
    """
    inputs = [op.name for op in operations if op.type in PLACEHOLDERS]
    ops = {op.name: op for op in operations}
    ops = {name: ops[name] for name in upstream({op.name: op.inputs for op in operations}, [*outputs, *inputs])}
    ops = _without_loops(ops, outputs)
    reads = {name: op.inputs for name, op in ops.items()}
    labels = _labels(ops, outputs, flags, {name for each in reads.values() for name in each})
    starts = [name for name in inputs if name not in labels]
    dependent = downstream(reads, starts) | set(outputs) & ops.keys()
    constant = {name: read for name, read in reads.items() if name not in dependent}
    used = {name: upstream(constant, reads[name]) for name in ops if name in dependent}
    return Net(
        [op for name, op in ops.items() if name in dependent],
        set(outputs),
        {name: [ops[each] for each in names if ops[each].is_parameter] for name, names in used.items()},
        {name: [each for each in names if each in labels] for name, names in used.items()},
    )


def _labels(ops: Mapping[str, Op], outputs: Collection[str], flags: Collection[str], read: Collection[str]) -> set[str]:
    """Returns the inputs that are labels: scalars beside other inputs, if something reads them."""
    inputs = [op for op in ops.values() if op.type in PLACEHOLDERS]
    candidates = {op.name for op in inputs if op.name in read and op.name not in outputs and op.dtype != "string"}
    scalars = {op.name for op in inputs if op.name in flags or op.sizes == ()} & candidates
    if len(scalars) == len(inputs):
        sure = [op for op in inputs if op.dtype == "bool" or op.type == OPTIONAL_PLACEHOLDER or op.name in flags]
        scalars &= {op.name for op in sure}
    return set() if len(scalars) == len(inputs) else scalars


def _without_loops(ops: Mapping[str, Op], outputs: Collection[str]) -> dict[str, Op]:
    """Returns the ops in order, with one op for each loop of TensorFlow 1."""
    components = strong_components({name: op.inputs for name, op in ops.items()})
    name_of, loops = {}, {}
    for component in components:
        name = component[0]
        if len(component) > 1 and not set(component) & set(outputs):
            scope = _common_scope(component)
            name = scope if scope and scope not in ops else component[-1]
            while name in loops:
                name += "_"
            members = [ops[each] for each in component]
            read = dict.fromkeys(each for op in members for each in op.inputs if each not in component)
            loops[name] = Op(name, LOOP, tuple(read), members[0].dtype, members[0].sizes, False)
        name_of.update(dict.fromkeys(component, name))
    found = {name_of[each[0]]: loops.get(name_of[each[0]]) or ops[each[0]] for each in components}
    return {
        name: replace(op, inputs=tuple(dict.fromkeys(name_of[each] for each in op.inputs if each in name_of)))
        for name, op in found.items()
    }


def _common_scope(names: Sequence[str]) -> str:
    """Returns the scope that all the names are in, "" for none."""
    levels = zip(*(name.split("/")[:-1] for name in names), strict=False)
    return "/".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, levels))
