"""``python -m trainer.cli.checkpoints``."""

import sys

from trainer.cli.checkpoints import main

sys.exit(main())
