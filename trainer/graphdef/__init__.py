"""Analysis of a GraphDef: kinds of ops, traversal, extraction of subgraphs, signatures."""
