"""The main function of a process that tells what it is and ends as it is asked to, for the tests of `Births`."""

import contextlib
import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from webui.domain.settings import BackSettings


@dataclass(frozen=True, slots=True)
class Facts:
    """What a process tells of itself."""

    parent: int
    device: str
    environment: Mapping[str, str]
    numbers: tuple[float, float]


def main(factory: str, settings: BackSettings, connection: "Connection[Any, Any]") -> None:
    """Tell the facts; then the message is the exit code."""
    numbers = (random.random(), float(np.random.random()))
    connection.send(Facts(os.getppid(), settings.device, dict(os.environ), numbers))
    with contextlib.suppress(EOFError):  # nobody wants it any more
        sys.exit(connection.recv())
