"""A frozen graph as a part of a new model: read, put into the graph, found again in the frozen whole."""
