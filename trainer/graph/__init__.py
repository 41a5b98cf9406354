"""Building the graph: the inference part, the training part, the fused step."""
