"""Measures several runs in turn, so that disturbances by other programs affect all of them."""

import time
from collections.abc import Callable, Mapping


def alternately(
    runs: Mapping[str, Callable[[], object]], rounds: int, before: Callable[[str], None] = lambda name: None
) -> dict[str, list[float]]:
    """CPU seconds of each run, by its name: `rounds` values each, every other round in the opposite order.

    Args:
        runs: the functions to measure, called once in each round. They are not warmed up here.
        rounds: how often all are measured.
        before: called with the name of each run before it, outside the measured time.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        order = list(runs.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            before(name)
            began = time.process_time()
            run()
            found[name].append(time.process_time() - began)
    return found
