"""Captions whose tags change places. They follow from the seed and the count of the picture."""

import random


def caption_of(caption: str, seed: int, sample: int, *, keep: int) -> str:
    """The tags between commas in another order.

    Args:
        keep: tags at the beginning that stay where they are.
    """
    tags = [tag.strip() for tag in caption.split(",") if tag.strip()]
    moved = tags[keep:]
    random.Random(f"tags {seed} {sample}").shuffle(moved)
    return ", ".join([*tags[:keep], *moved])
