"""Entry point of ``python -m trainer.cli.checkpoints``."""

import sys

from trainer.cli.checkpoints import main
from trainer.cli.program import program_name

sys.exit(main(prog=program_name()))
