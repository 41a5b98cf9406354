"""One way to open all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.errors import RequestError
from trainer.predict.checkpoint import open_checkpoint
from trainer.predict.formats import detect_format
from trainer.predict.frozen import open_frozen
from trainer.predict.predictor import Predictor
from trainer.predict.saved_model import open_saved_model
from trainer.predict.subgraph import Names


def open_predictor(
    path: str | Path,
    outputs: Names | None = None,
    inputs: Names | None = None,
    tags: Sequence[str] | None = None,
    signature: str | None = None,
) -> Predictor:
    """Opens whatever is at a path: a run, a checkpoint, a frozen ``.pb`` or a SavedModel.

    Args:
        path: a run directory or a checkpoint directory (its newest good checkpoint is taken), a prefix
            or a file of a checkpoint, a ``.pb``, or the directory of a SavedModel or of numbered ones.
        outputs: what to compute; None for what the file records.
        inputs: of a checkpoint or a ``.pb``: tensors to feed besides the placeholders.
        tags: of a SavedModel; None for ``serve``.
        signature: of a SavedModel; None for ``serving_default``, or the only one.

    Raises:
        RequestError: there is nothing to open, or it has no such outputs, tags or signature.
        CheckpointError: the checkpoint is damaged.

    Example:
        >>> import tempfile, tensorflow as tf
        >>> with tf.Graph().as_default() as graph:
        ...     x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        ...     twice = tf.multiply(x, 2.0, name="twice")
        >>> file = Path(tempfile.mkdtemp()) / "model.pb"
        >>> size = file.write_bytes(graph.as_graph_def().SerializeToString())
        >>> with open_predictor(file) as predictor:
        ...     predictor(x=[1, 2.5])
        {'twice': array([2., 5.], dtype=float32)}
    """
    kind, place = detect_format(Path(path))
    if kind == "saved_model":
        if inputs is not None or isinstance(outputs, Mapping):
            raise RequestError(f"{place} is a SavedModel: its signature names inputs and outputs")
        return open_saved_model(place, ("serve",) if tags is None else tags, signature, outputs)
    if tags is not None or signature is not None:
        raise RequestError(f"tags and signature belong to a SavedModel; {place} is none")
    if kind == "meta":
        raise RequestError(f"{place} is a graph without weights: there is no {place.stem}.index beside it")
    opener = open_checkpoint if kind == "checkpoint" else open_frozen
    return opener(place, outputs, inputs)
