"""``python -m pydeeplab`` is the command ``pydeeplab``."""

import sys

from pydeeplab.cli import main

if __name__ == "__main__":
    sys.exit(main())
