"""The run directory: where it is, what is written about the run, which run a resume continues."""
