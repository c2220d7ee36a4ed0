"""Entry point of `python -m mockvoice`."""

import sys

from .cli import main

sys.exit(main())
