"""Entry point of ``python -m trainer.cli.report``."""

import sys

from trainer.cli.program import program_name
from trainer.cli.report import main
from trainer.cli.stdout import open_streams

open_streams()
sys.exit(main(prog=program_name()))
