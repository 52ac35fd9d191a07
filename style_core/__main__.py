"""`python -m style_core`."""

import sys

from style_core.cli.main import main

sys.exit(main())
