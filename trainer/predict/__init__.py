"""Predictors over what a run, or any graph-mode code, left: checkpoints, frozen graphs, SavedModels.

Only ``backends`` and ``dispatch``, which opens them, need TensorFlow.
"""
