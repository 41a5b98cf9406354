"""``python -m trainer.tools.checkpoints``."""

import sys

from trainer.tools.checkpoints import main

sys.exit(main())
