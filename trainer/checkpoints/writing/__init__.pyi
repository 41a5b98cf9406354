from trainer.checkpoints.writing.background import BackgroundWork as BackgroundWork
from trainer.checkpoints.writing.record_composer import RecordComposer as RecordComposer
from trainer.checkpoints.writing.saved_values import SavedValues as SavedValues
from trainer.checkpoints.writing.saved_values import values_to_save as values_to_save
from trainer.checkpoints.writing.snapshot import LiveValues as LiveValues
from trainer.checkpoints.writing.snapshot import Snapshot as Snapshot
from trainer.checkpoints.writing.writer import CheckpointWriter as CheckpointWriter
