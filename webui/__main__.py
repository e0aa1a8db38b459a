"""`python -m webui`: the command line."""

import sys

from webui.commands.cli import main

if __name__ == "__main__":  # a spawned worker imports this module again and must not start a server
    sys.exit(main())
