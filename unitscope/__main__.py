"""Run the command line: `python -m unitscope`."""

import sys

from unitscope.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
