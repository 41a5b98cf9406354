"""Models of the shipped experiments; other models may be in any importable module."""
