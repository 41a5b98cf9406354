"""Public functions on checkpoints, loaded on first use."""

from trainer.checkpoints.analysis.average import average as average
from trainer.checkpoints.analysis.compare import compare as compare
from trainer.checkpoints.analysis.inspect import verify as verify
from trainer.checkpoints.catalog import list_checkpoints as list_checkpoints
from trainer.checkpoints.resolve import resolve_checkpoint as find
from trainer.checkpoints.retention.policy import Retention as Retention
from trainer.checkpoints.retention.prune import prune as prune
from trainer.export.from_checkpoint import export_checkpoint as export
from trainer.export.from_checkpoint import freeze_checkpoint as freeze

__all__ = [
    "Retention",
    "average",
    "compare",
    "export",
    "find",
    "freeze",
    "list_checkpoints",
    "prune",
    "verify",
]
