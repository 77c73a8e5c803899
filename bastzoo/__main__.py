"""`python -m bastzoo` is the command `bastzoo`."""

import sys

from bastzoo.cli import main

sys.exit(main())
