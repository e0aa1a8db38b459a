"""Pickles that tests write themselves, converted in their own process: the process that the program starts for each has
to load torch first. That process is tested in `tests/weights/test_convert.py`.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import torch

from webui.domain.errors import UnusableFileError
from webui.weights import convert, unpickle


@contextlib.contextmanager
def converted_here() -> Iterator[None]:
    """While entered, the same code converts without limits of its own, and refuses in the same words."""

    def run(source: Path, target: Path, timeout: float) -> None:
        told = io.StringIO()
        with contextlib.redirect_stderr(told), torch.serialization.safe_globals([]):
            status = unpickle.main([str(source), str(target)])
        if status != 0:
            reason = told.getvalue().splitlines()[-1]
            raise UnusableFileError(f"{source.name}: cannot be converted to safetensors: {reason}")

    with patch.object(convert, "_run", run), patch.object(unpickle, "limit", lambda size: None):
        yield
