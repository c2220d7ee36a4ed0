"""`python -m mockvoice` is `mockvoice`."""

import sys

from .cli import main

sys.exit(main())
