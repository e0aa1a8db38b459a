"""In which order pictures are trained. All of it follows from the seed, so a run can go on at any step.

Each step of the optimizer sees `size` pictures of one bucket. That is one batch, or several that are accumulated.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .buckets import Bucket


@dataclass(frozen=True, slots=True)
class Draw:
    """One picture of a step.

    Attributes:
        picture: its number in the data set.
        sample: counts the pictures of the whole run; what is random about this one follows from seed and this.
    """

    picture: int
    sample: int


class Order:
    """The steps of each epoch.

    Args:
        where: the bucket of each picture.
        repeats: how often each picture comes in an epoch.
        size: pictures of a step; the last step of a bucket may have fewer.
    """

    def __init__(self, where: Sequence[Bucket], repeats: Sequence[int], size: int, seed: int) -> None:
        self._rows: dict[Bucket, list[int]] = {}
        for number, (bucket, count) in enumerate(zip(where, repeats, strict=True)):
            self._rows.setdefault(bucket, []).extend([number] * count)
        self._size = size
        self._seed = seed
        self.steps_of_epoch = sum(-(-len(rows) // size) for rows in self._rows.values())
        self.samples_of_epoch = sum(map(len, self._rows.values()))
        self._epoch: tuple[int, list[list[Draw]]] | None = None

    def step(self, number: int) -> list[Draw]:
        """The pictures of a step, counted from 0 over all epochs."""
        epoch, place = divmod(number, self.steps_of_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._drawn(epoch))
        return self._epoch[1][place]

    def _drawn(self, epoch: int) -> list[list[Draw]]:
        chance = random.Random(f"order {self._seed} {epoch}")
        groups: list[list[int]] = []
        for bucket in sorted(self._rows):
            rows = list(self._rows[bucket])
            chance.shuffle(rows)
            groups += [rows[start : start + self._size] for start in range(0, len(rows), self._size)]
        chance.shuffle(groups)
        counted = iter(range(epoch * self.samples_of_epoch, (epoch + 1) * self.samples_of_epoch))
        return [[Draw(picture, next(counted)) for picture in group] for group in groups]
