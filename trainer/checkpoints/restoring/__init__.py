"""Restoring of checkpoints: compared with the graph, planned, then assigned."""
