"""Looking into graphs without running them: what is in a file, and a picture of it."""
