"""Predicting from what a run, or any graph-mode code, left: checkpoints, frozen graphs, SavedModels."""
