"""Entry point of ``python -m trainer.cli.runs``."""

import sys

from trainer.cli.program import program_name
from trainer.cli.runs import main
from trainer.cli.stdout import open_streams

open_streams()
sys.exit(main(prog=program_name()))
