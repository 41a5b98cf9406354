"""``python -m trainer.tools.models``."""

import sys

from trainer.tools.models import main

sys.exit(main())
