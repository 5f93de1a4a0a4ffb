"""`python -m codeout`: the command line."""

import sys

from codeout.cli.main import main

sys.exit(main())
