"""Losses and metrics of a batch in all their forms, losses on the side, and the state of metrics."""
