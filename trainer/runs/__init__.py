"""One run on disk: its directory, ``run.json``, lock and stored config."""
