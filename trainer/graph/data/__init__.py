"""Data sources in the graph: specs, batches, order, position, validation parts."""
