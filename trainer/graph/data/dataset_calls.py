"""Data sets made by functions of a person: called, counted, and looked through for what no checkpoint holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from trainer.data.unparsed import unparsed_of
from trainer.errors import RequestError, describe, place_in
from trainer.graph.data.background_call import in_background
from trainer.graph.data.generator_dataset import generator_dataset, is_generator
from trainer.graph.data.pipeline_state import unsaved_in
from trainer.timing import timed

log = logging.getLogger(__name__)


def warn_of_unsaved(argument: str, ops: Sequence[Any], *, buffered: bool, restarts: bool = False) -> None:
    """Warns of what a checkpoint of a pipeline's position leaves out.

    Args:
        argument: Name of the argument that holds the function of the data set, for messages.
        ops: Ops of the pipeline and of its functions.
        buffered: Whether a shuffle of the trainer follows.
        restarts: Whether each use starts a new pass.
    """
    for unsaved in unsaved_in(ops, buffered=buffered, restarts=restarts):
        log.warning("%s %s", argument, unsaved)


def call_dataset(function: Callable[[], Any], argument: str, *, batched: bool = False) -> Any:
    """Returns the data set that a function adds to the default graph, also from a generator function.

    Args:
        function: Function that makes the data set, or a generator function.
        argument: Name of the argument that holds the function, for messages.
        batched: Whether the elements are batches.

    Raises:
        RequestError: The function raised.
    """
    try:
        made = function()
        return generator_dataset(function, argument, batched=batched) if is_generator(made) else made
    except RequestError as error:
        if error.argument.partition(".")[0] != argument.partition(".")[0]:
            error.argument = f"{argument}.{error.argument}".removesuffix(".")
        raise
    except (Exception, SystemExit) as error:
        raise RequestError(f"{argument} raised {describe(error)}{place_in(error)}", argument=argument) from error


def check_dataset(made: Any, argument: str) -> Any:
    """Returns what a function has made if it is a data set.

    Raises:
        RequestError: It is something else.
    """
    if getattr(made, "element_spec", None) is None:
        raise RequestError(
            f"{argument} is a {type(made).__name__}; it must be a tf.data.Dataset, or a generator of elements",
            argument=argument,
        )
    return made


def count_elements(dataset: Any, session: Any, argument: str, count_secs: float) -> int:
    """Returns the number of elements; reads the data set once if it does not know its length.

    Args:
        dataset: Data set of examples or batches.
        session: Session of the graph that the data set is in.
        argument: Argument that makes the count needless, for messages.
        count_secs: Limit on the seconds of counting.

    Raises:
        RequestError: The data set never ends, or not within the limit.
    """
    which, remedy = {
        "steps_per_epoch": ("the data set", "the number of batches of an epoch"),
        "validation_steps": ("the validation data set", "the number of batches of an evaluation"),
    }[argument]
    known = int(session.run(dataset.cardinality()))
    if known >= 0:
        return known
    ends = f"set its {argument} to {remedy}"
    if known == tf.data.INFINITE_CARDINALITY:
        raise RequestError(f"{which} never ends; {ends}", argument=f"data.{argument}")
    unparsed = unparsed_of(dataset)
    read_all = None if unparsed else dataset.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)
    count = unparsed.count if unparsed else lambda: session.run(read_all)
    try:
        with timed(f"counting the examples of {which} ({argument} makes that needless)"):
            return int(in_background(count, count_secs))
    except TimeoutError as error:
        raise RequestError(
            f"{which} does not know its length, and has not ended after {count_secs:.0f} s of counting; {ends}",
            argument=f"data.{argument}",
        ) from error
