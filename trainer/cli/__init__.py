"""Command lines of training and of the tools in ``scripts/``: thin shells over the typed functions of other rooms."""
