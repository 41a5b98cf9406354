"""Exports: the inference part cut out, frozen or saved as a SavedModel, and read back."""
