from trainer.export.from_checkpoint import export_checkpoint as export_checkpoint
from trainer.export.from_checkpoint import freeze_checkpoint as freeze_checkpoint
from trainer.export.frozen import check_fits_a_pb as check_fits_a_pb
from trainer.export.frozen import export_frozen as export_frozen
from trainer.export.saved_model import export_saved_model as export_saved_model
from trainer.export.subgraph import check_outputs as check_outputs
from trainer.export.subgraph import extract_inference as extract_inference
from trainer.export.weights import weights_for as weights_for
