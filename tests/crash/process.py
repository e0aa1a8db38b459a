"""A process that is killed: `python -m tests.crash.process MODULE ARGUMENT...` calls the module's main function.

Processes that it makes import this module again, and nothing of the server.
"""

import gc
import importlib
import sys

if __name__ == "__main__":
    gc.disable()  # as the program itself starts
    module = importlib.import_module(sys.argv[1])
    gc.freeze()
    gc.enable()
    module.main(*sys.argv[2:])
