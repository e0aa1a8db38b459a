"""`python -m webui`: the command line."""

import gc
import sys

if __name__ == "__main__":  # a spawned worker imports this module again, and needs nothing of the server
    gc.disable()  # what is imported stays: looking through it for garbage took a quarter of the start
    from webui.commands.cli import main

    gc.freeze()
    gc.enable()
    sys.exit(main())
