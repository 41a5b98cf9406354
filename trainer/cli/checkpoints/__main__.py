"""Entry point of ``python -m trainer.cli.checkpoints``."""

import sys

from trainer.cli.checkpoints import main
from trainer.cli.program import program_name
from trainer.cli.stdout import open_streams

open_streams()
sys.exit(main(prog=program_name()))
