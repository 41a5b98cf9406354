from trainer.checkpoints.analysis.inspect import Variable as Variable
from trainer.checkpoints.analysis.inspect import missing_files as missing_files
from trainer.checkpoints.analysis.inspect import note_on_graph as note_on_graph
from trainer.checkpoints.analysis.inspect import problems_of as problems_of
from trainer.checkpoints.analysis.inspect import state_file_problems as state_file_problems
from trainer.checkpoints.analysis.inspect import variables_of as variables_of
