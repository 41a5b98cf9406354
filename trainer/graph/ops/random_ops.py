"""Random ops whose state is kept in the session, so that they start anew in each process."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RANDOM = frozenset(
    """
    AllCandidateSampler FixedUnigramCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler
    Multinomial NonDeterministicInts ParameterizedTruncatedNormal RandomCrop RandomGamma RandomPoisson RandomPoissonV2
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt SampleDistortedBoundingBox
    SampleDistortedBoundingBoxV2 ThreadUnsafeUnigramCandidateSampler TruncatedNormal UniformCandidateSampler
    """.split()  # noqa: SIM905 - one name a line would fill a screen
)


OURS = Path(__file__).parents[3]
LIBRARIES = ("/tensorflow/", "/keras/", contextlib.__file__, f"{OURS}/trainer/", f"{OURS}/callbacks/")
"""Parts of the paths of source files that are not the user's."""


def note_original(copy: Any, original: Any) -> None:
    """Lets messages name the line that made the op from which another one was copied."""
    copy._trainer_original = original


def frames_of(op: Any) -> list[traceback.FrameSummary]:
    """Returns the frames in which an op was made, or the op that it is a copy of."""
    return list(getattr(op, "_trainer_original", op).traceback or ())


def line_of(frames: Iterable[traceback.FrameSummary]) -> str:
    """Returns the innermost source line outside the libraries, such as ``, model.py:7``; empty if none."""
    own = [each for each in frames if not any(part in each.filename for part in LIBRARIES)]
    return f", {own[-1].filename}:{own[-1].lineno}" if own else ""


def ops_in(graph: Any) -> list[Any]:
    """Returns the ops of a graph and of all functions in it."""
    # A function of the data sets of TensorFlow 1 has no graph of its own.
    functions = [each.graph for each in graph._functions.values() if hasattr(each, "graph")]
    return [op for each in (graph, *functions) for op in each.get_operations()]


def needed_for(targets: Iterable[Any]) -> list[Any]:
    """Returns the ops that have to run for some ops of a graph, these included."""
    found, left = {}, list(targets)
    while left:
        op = left.pop()
        if op not in found:
            found[op] = True
            left += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return list(found)


def stateful_random_ops(graph: Any, targets: Iterable[Any]) -> list[Any]:
    """Returns the stateful random ops in the functions of a graph, and those outside that some ops need.

    Args:
        graph: Graph with the functions of the model.
        targets: Ops of the graph, such as the train step; they do not need the ops of initial values.
    """
    outside = set(graph.get_operations())
    functions = [op for op in ops_in(graph) if op not in outside]
    return [op for op in (*functions, *needed_for(targets)) if op.type in RANDOM]
