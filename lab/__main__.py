"""`python -m lab` is `twinos`."""

import sys

from lab.cli import main

sys.exit(main())
