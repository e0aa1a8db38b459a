"""The long crash test: 50 jobs of 3 pictures, 20 kills of workers and servers at random moments; then a plot, 5 kills.

    python -m tests.crash.long [--seed N] [--jobs N] [--kills N]

The seed is printed, so that the same moments can be tried again.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.plot_trial import faults
from tests.crash.trial import Trial, Victim

PLOT_KILLS = 5


def moments(chance: random.Random, kills: int) -> list[tuple[float, Victim]]:
    """When to kill whom: shares of the pictures, in order, and a victim for each."""
    victims: tuple[Victim, ...] = ("worker", "worker", "server")
    return [(share, chance.choice(victims)) for share in sorted(chance.random() for _ in range(kills))]


def main() -> int:
    """Run it and print what it came to; 0 when nothing was lost."""
    flags = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    flags.add_argument("--seed", type=int, default=random.randrange(10**6))
    flags.add_argument("--jobs", type=int, default=50)
    flags.add_argument("--kills", type=int, default=20)
    given = flags.parse_args()
    sys.stdout.write(f"crash test: {given.jobs} jobs, {given.kills} kills, --seed {given.seed}\n")
    sys.stdout.flush()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="webui-crash-") as folder:
        found = Trial(Path(folder), given.jobs).run(moments(random.Random(given.seed), given.kills))
    with tempfile.TemporaryDirectory(prefix="webui-crash-plot-") as folder:
        of_a_plot, kills = faults(Path(folder), moments(random.Random(given.seed), PLOT_KILLS))
    sys.stdout.write(f"a plot: {len(of_a_plot)} faults; killed: {dict(kills)}\n")
    found.wrong += of_a_plot
    for name in ("lost", "doubled", "half_written", "wrong", "failed", "held"):
        for line in getattr(found, name):
            sys.stdout.write(f"  {name}: {line}\n")
    sys.stdout.write(f"{found} ({time.monotonic() - began:.0f} s)\n")
    return 0 if found.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
