"""Opening a predictor of any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.errors import RequestError
from trainer.files import local_path
from trainer.graphdef.output_names import Names
from trainer.predict.backends.checkpoint import open_checkpoint
from trainer.predict.backends.frozen import open_frozen
from trainer.predict.backends.saved_model import open_saved_model
from trainer.predict.formats import detect_format
from trainer.predict.predictor import Predictor


def open_predictor(
    path: str | Path,
    outputs: Names | None = None,
    inputs: Names | None = None,
    tags: Sequence[str] | None = None,
    signature: str | None = None,
    weights: str | None = None,
    trust: bool = False,
) -> Predictor:
    """Opens a run, a checkpoint, a frozen ``.pb`` or a SavedModel.

    Args:
        path: Reference to a checkpoint, as for ``trainer.checkpoints.find``; path of a ``.pb``; or directory
            of a SavedModel or of numbered SavedModels.
        outputs: Nodes to compute, ``op`` or ``op:0``, or a mapping from new names to nodes; names in the
            signature of a SavedModel; None for those that the file declares.
        inputs: Tensors to feed besides the placeholders; not for a SavedModel.
        tags: Tags of a SavedModel's meta graph; None for ``serve``, or the only graph.
        signature: Signature of a SavedModel; None for ``serving_default``, or the only one.
        weights: Weights of a checkpoint: ``averaged``, ``trained``, or None for averages where the optimizer kept any.
        trust: Whether the model may do more than compute: read and write other files, use a network, run Python.

    Raises:
        RequestError: There is nothing to open; an output, the tags or the signature does not exist; or the model
            does more than compute.
        CheckpointError: The checkpoint is damaged.

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
    kind, path = detect_format(local_path(path))
    if weights is not None and kind != "checkpoint":
        raise RequestError(f"weights is for a checkpoint; {path} is not one", argument="weights")
    if kind == "saved_model":
        if inputs is not None or isinstance(outputs, Mapping):
            raise RequestError(
                f"{path} is a SavedModel: its signature names inputs and outputs",
                argument="outputs" if inputs is None else "inputs",
            )
        return open_saved_model(path, tags, signature, outputs, trust)
    if tags is not None or signature is not None:
        raise RequestError(
            f"tags and signature are for a SavedModel; {path} is not one",
            argument="signature" if tags is None else "tags",
        )
    if kind == "meta":
        raise RequestError(f"{path} is a graph without weights: there is no {path.stem}.index beside it")
    if kind == "checkpoint":
        return open_checkpoint(path, outputs, inputs, weights=weights, trust=trust)
    return open_frozen(path, outputs, inputs, trust)
