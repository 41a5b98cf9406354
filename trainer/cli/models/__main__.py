"""``python -m trainer.cli.models``."""

import sys

from trainer.cli.models import main

sys.exit(main())
