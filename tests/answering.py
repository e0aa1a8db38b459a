"""Waiting for a program that was started to answer."""

import subprocess
import time
import urllib.request

PATIENCE = 240  # seconds that a busy machine may take


def until_it_answers(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the address answers. Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, "the program ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)
