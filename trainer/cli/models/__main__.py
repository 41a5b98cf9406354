"""Entry point of ``python -m trainer.cli.models``."""

import sys

from trainer.cli.models import main
from trainer.cli.program import program_name

sys.exit(main(prog=program_name()))
