"""State and order of a data pipeline that no checkpoint holds, found in its ops."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import dataset_options_pb2

from trainer.graph.ops.random_ops import RANDOM, line_of

SHUFFLES = frozenset(
    {"ShuffleAndRepeatDataset", "ShuffleAndRepeatDatasetV2", "ShuffleDataset", "ShuffleDatasetV2", "ShuffleDatasetV3"}
)
ENDING = SHUFFLES | {"ConcatenateDataset", "DirectedInterleaveDataset", "ZipDataset"}
"""Data sets that may be saved when an input of theirs has ended, and then without the state of that input."""

STATELESS = (
    "use tf.random.stateless_* with a seed that is a part of the element, such as from a zipped "
    "tf.data.Dataset.random(seed=1)"
)
TEXTS = {
    "random": "draws random numbers ({op}) whose state is in no checkpoint: a resumed run draws others; " + STATELESS,
    "variable": "changes a variable ({op}) that may be ahead of the batches of a checkpoint: a resumed run may go on "
    "with other values; " + STATELESS,
    "Python": "calls Python ({op}): what that keeps between calls, such as a counter or a random generator, is in no "
    "checkpoint; let it depend on its arguments alone",
    "clock": "reads the clock ({op}), so no two runs are the same; leave it out",
    "order": "has an order that depends on the time ({op}), so no two runs are the same, and a resumed run sees other "
    "batches; set deterministic=True there and in the options",
    "passes": "differs from pass to pass ({op}) and feeds another buffer; TensorFlow saves no count of the passes when "
    "this one has ended there, so later passes of a resumed run may differ: set reshuffle_each_iteration=False, or "
    "let this shuffle be the last (shuffle_buffer=0)",
}


@dataclass(frozen=True)
class Unsaved:
    """State or order of a pipeline that no checkpoint holds.

    Args:
        kind: Kind ``random``, ``variable``, ``Python``, ``clock``, ``order`` or ``passes``.
        op: Type, name and source line of the op.
    """

    kind: str
    op: str

    def __str__(self) -> str:
        return TEXTS[self.kind].format(op=self.op)


def unsaved_in(ops: Sequence[Any], *, buffered: bool, restarts: bool = False) -> list[Unsaved]:
    """Returns what a checkpoint of a pipeline's position leaves out, each kind once for each source line.

    Args:
        ops: Ops of the pipeline and of its functions.
        buffered: Whether a shuffle of the trainer follows.
        restarts: Whether each use starts a new pass, as an evaluation does: random ops then draw the
            same numbers again, and no pass is saved.
    """
    is_sloppy = _option_is_sloppy(ops)
    found = [(kind, op) for op in ops if (kind := _kind_of(op, is_sloppy=is_sloppy))]
    if restarts:
        found = [(kind, op) for kind, op in found if kind not in ("random", "variable")]
    else:
        found += [("passes", op) for op in ops if _is_lost_between_passes(op, set(ops), buffered=buffered)]
    by_line = {(kind, line_of(op.traceback)): op for kind, op in reversed(found)}
    return [Unsaved(kind, f"{op.type} {op.name}{line}") for (kind, line), op in reversed(by_line.items())]


def _option_is_sloppy(ops: Sequence[Any]) -> bool:
    """Returns whether the options of the pipeline allow an order that depends on the time."""
    is_sloppy = False
    for op in ops:
        if op.type == "OptionsDataset":
            options = dataset_options_pb2.Options.FromString(op.get_attr("serialized_options"))
            if options.HasField("deterministic"):
                is_sloppy = not options.deterministic
    return is_sloppy


def _kind_of(op: Any, *, is_sloppy: bool) -> str:
    if op.type in RANDOM:
        return "random"
    if op.type.startswith(("Rng", "StatefulRandom", "StatefulUniform", "StatefulStandard", "StatefulTruncated")):
        return "variable"
    if op.type.startswith(("Assign", "ResourceScatter")) and op.graph.building_function:
        return "variable"
    if op.type in ("PyFunc", "EagerPyFunc"):
        return "Python"
    if op.type == "Timestamp":
        return "clock"
    return "order" if _is_sloppy(op, is_sloppy=is_sloppy) else ""


def _is_sloppy(op: Any, *, is_sloppy: bool) -> bool:
    attributes = op.node_def.attr
    if "deterministic" in attributes:
        setting = attributes["deterministic"].s
        return bool(setting == b"false" or (setting == b"default" and is_sloppy))
    return "sloppy" in attributes and bool(attributes["sloppy"].b)


def _is_lost_between_passes(op: Any, pipeline: Collection[Any], *, buffered: bool) -> bool:
    """Returns whether an op that has other orders in each pass may lose count of the passes in a checkpoint."""
    if op.graph.building_function or not _is_another_each_pass(op):
        return False
    return any(_loses(op, path, buffered=buffered) for path in _paths(op, pipeline))


def _is_another_each_pass(op: Any) -> bool:
    attributes = op.node_def.attr
    if op.type in SHUFFLES:
        return "reshuffle_each_iteration" not in attributes or bool(attributes["reshuffle_each_iteration"].b)
    return op.type.startswith("RandomDataset") and bool(attributes["rerandomize_each_iteration"].b)


def _paths(op: Any, pipeline: Collection[Any]) -> Iterator[list[Any]]:
    """Yields the data sets from after an op to the end of the pipeline."""
    after = [each for output in op.outputs for each in output.consumers() if each in pipeline]
    if not after:
        yield []
    for each in after:
        for path in _paths(each, pipeline):
            yield [each, *path]


def _loses(op: Any, path: Sequence[Any], *, buffered: bool) -> bool:
    for each in path:
        if each.type.startswith("CacheDataset"):
            return False
        if each.type in ENDING and not _is_endless(each):
            return True
        op = each
    return buffered and not _is_endless(op)


def _is_endless(op: Any) -> bool:
    inputs = [each.op for each in op.inputs if each.dtype == tf.variant]
    if op.type == "RepeatDataset" and tf.get_static_value(op.inputs[1]) == -1:
        return True
    if op.type in ("TakeDataset", "TakeWhileDataset") or not inputs:
        return bool(op.type.startswith("RandomDataset"))
    return all(_is_endless(each) for each in inputs)
