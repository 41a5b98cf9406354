"""Command-line tools beside the trainer."""
