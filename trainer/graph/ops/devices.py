"""Devices that code names and this machine cannot have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from trainer.graph.ops.behaviour import behave_as_tensorflow_2


@contextlib.contextmanager
def building(graph: Any) -> Iterator[Any]:
    """Makes a graph the default one; soft placement then also holds for the tasks of a cluster.

    TensorFlow's soft placement moves an op from a missing GPU, but not from ``/job:ps/task:1``, as code for
    parameter servers has it.

    Example:
        >>> tf.config.set_soft_device_placement(True)
        >>> with building(tf.Graph()), tf.device("/job:ps/task:1/cpu:0"):
        ...     tf.constant(1.0).device
        '/device:CPU:0'
    """
    behave_as_tensorflow_2()
    with graph.as_default():
        if not tf.config.get_soft_device_placement():
            yield graph
            return
        with graph.device(on_this_machine):
            yield graph


def on_this_machine(operation: Any) -> str:
    """Returns the device of an op without job, replica and task."""
    spec = tf.DeviceSpec.from_string(operation.device or "")
    return str(spec.replace(job=None, replica=None, task=None).to_string())
