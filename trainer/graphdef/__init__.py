"""A GraphDef from a file or a live graph: its ops by kind, its traversal, the part that some outputs need."""
