"""Networks of the real sizes, without numbers, on small cards: each is enough by plan. `benchmarks/memory_plan.py` has
more sizes.
"""

from collections.abc import Callable

import pytest

from benchmarks.memory_plan import Job, planned, sd15, sdxl, sized


@pytest.mark.parametrize(("make", "cards"), [(sd15, (2, 4)), (sdxl, (4, 24))], ids=["sd15", "sdxl"])
def test_a_job_fits_every_card(make: Callable[[], Job], cards: tuple[int, ...]) -> None:
    with sized(make) as job:
        plans = [planned(job, card, computes=False) for card in cards]
    for plan in plans:
        assert plan.peak <= plan.card + 1e-6, plan
    assert plans[0].whole > cards[0]  # with everything on the card it would not
    streamed = [plan.streamed for plan in plans]
    assert streamed == sorted(streamed, reverse=True)
    assert streamed[-1] == 0


def test_a_call_needs_no_more_than_was_estimated() -> None:
    """Counted over every tensor that a UNet of the real size makes."""
    with sized(sd15) as job:
        counted, estimated = planned(job, 24, steps=1), planned(job, 24, steps=1, computes=False)
    assert counted.peak <= estimated.peak
