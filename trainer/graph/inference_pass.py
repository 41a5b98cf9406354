"""Outputs of the inference part on a validation part, batch by batch, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Array
from trainer.graph.build import GraphContext
from trainer.graph.data.background_call import closing_in_time
from trainer.graph.data.element_structure import dense_by_name
from trainer.graph.data.validation_parts import DatasetPart, Part
from trainer.graph.ops.devices import building

v1 = tf.compat.v1


def validation_outputs(
    build: GraphContext, part: Part, outputs: Sequence[str], session: Any
) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
    """Yields the examples of a validation part and the model's outputs for them; adds no op to the run's graph.

    Args:
        build: View of the run's graph.
        part: Validation part.
        outputs: Names of the outputs to compute.
        session: Session of the run.

    Yields:
        Inputs and labels of a batch by name, and its outputs by name.
    """
    inputs = build.inference.inputs
    call = session.make_callable([build.inference.outputs[name] for name in outputs], list(inputs.values()))
    for batch in _batches(part, build.source.batch_size):
        yield batch, dict(zip(outputs, call(*(batch[name] for name in inputs)), strict=True))


def _batches(part: Part, size: int) -> Iterator[dict[str, Array]]:
    if isinstance(part, DatasetPart):
        yield from _of_dataset(part)
        return
    for start in range(0, len(part), size):
        yield {name: array[start : start + size] for name, array in part.all.items()}


def _of_dataset(part: DatasetPart) -> Iterator[dict[str, Array]]:
    with building(tf.Graph()) as graph:
        iterator = v1.data.make_initializable_iterator(part.make().prefetch(2))
        inputs, labels = dense_by_name(iterator.get_next())
        prepare = [v1.global_variables_initializer(), v1.tables_initializer()]
    with closing_in_time(v1.Session(graph=graph)) as session:
        session.run(prepare)
        session.run(iterator.initializer)
        while True:
            try:
                yield session.run({**inputs, **labels})
            except tf.errors.OutOfRangeError:
                return
