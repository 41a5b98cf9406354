"""Updates: the step of one batch, and many in one call."""
