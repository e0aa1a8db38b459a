"""Ports for servers that tests start and stop."""

import random
import socket

# Below the ports that systems give out by themselves (32768 and above on Linux, 49152 and above elsewhere): between the
# look and the use, and while a server is started again, no connection of another test comes to sit there.
RANGE = range(20_000, 32_000)


def open_port() -> int:
    """A port at which nobody listens.

    Raises:
        OSError: none was found in a hundred tries.
    """
    chance = random.SystemRandom()  # not the seeded one: tests that run beside each other must not look at the same
    for _ in range(100):
        port = chance.choice(RANGE)
        with socket.socket() as door:
            try:
                door.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port was found between {RANGE.start} and {RANGE.stop - 1}")
