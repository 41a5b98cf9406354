"""Predicting from what a run, or any graph-mode code, left: checkpoints, frozen graphs, SavedModels."""

from __future__ import annotations

from trainer.predict.checkpoint import open_checkpoint
from trainer.predict.frozen import open_frozen
from trainer.predict.opening import open_predictor
from trainer.predict.predictor import Predictor
from trainer.predict.saved_model import open_saved_model
from trainer.predict.tensors import TensorInfo

__all__ = ["Predictor", "TensorInfo", "open_checkpoint", "open_frozen", "open_predictor", "open_saved_model"]
