"""Sizes in which pictures are trained: each picture is scaled and cut to the bucket whose aspect is next to its own.

A bucket has about as many pixels as the resolution squared, and sides that are multiples of a step (NovelAI's aspect
ratio bucketing, as kohya's trainer writes it down). Pure arithmetic; no pictures, no torch.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A size in pixels."""

    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture gets into its bucket: scaled to `width` x `height`, then cut from `left`, `top`; all in pixels."""

    bucket: Bucket
    width: int
    height: int
    left: int
    top: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what is kept of the scaled picture."""
        return self.left, self.top, self.left + self.bucket.width, self.top + self.bucket.height


def buckets(resolution: int, step: int = 64, min_size: int = 256, max_size: int = 1024) -> tuple[Bucket, ...]:
    """All buckets, narrow to wide: for each width the largest height with no more pixels than `resolution` squared.

    Raises:
        ValueError: no multiple of `step` lies between the two sizes.
    """
    low, high = -(-min(min_size, resolution) // step) * step, max_size // step * step
    if step < 1 or low < 1 or low > high:
        raise ValueError(f"there is no multiple of {step} between {min_size} and {max_size}")
    pairs = set()
    for width in range(low, high + 1, step):
        height = min(high, resolution * resolution // width // step * step)
        if height >= low:
            pairs |= {(width, height), (height, width)}
    side = max(step, resolution // step * step)
    pairs.add((side, side))
    return tuple(sorted((Bucket(*pair) for pair in pairs), key=lambda one: (one.aspect, one.width)))


def bucket_of(
    width: int, height: int, resolution: int, step: int = 64, min_size: int = 256, max_size: int = 1024
) -> Bucket:
    """The bucket of a picture: of those whose aspect is nearest in its logarithm, the largest.

    Args:
        width, height: of the picture in pixels.
        resolution: side of a square with as many pixels as a bucket has at most.
        step: pixels of which sides are multiples.
        min_size, max_size: bounds of sides in pixels.
    """
    aspect = math.log(width / height)
    return min(
        buckets(resolution, step, min_size, max_size),
        key=lambda one: (round(abs(math.log(one.aspect) - aspect), 9), -one.width * one.height),
    )


def square(resolution: int, step: int) -> Bucket:
    """The only bucket where pictures are not sorted by aspect."""
    side = max(step, resolution // step * step)
    return Bucket(side, side)


def fit_of(width: int, height: int, bucket: Bucket) -> Fit:
    """Scale so that the picture covers the bucket, and cut the middle out."""
    scale = max(bucket.width / width, bucket.height / height)
    wide, high = max(bucket.width, round(width * scale)), max(bucket.height, round(height * scale))
    return Fit(bucket, wide, high, (wide - bucket.width) // 2, (high - bucket.height) // 2)
