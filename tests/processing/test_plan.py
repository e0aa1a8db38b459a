"""Seeds of a plan: counted up image by image, of 64 bits."""

import pytest

from webui.domain.request import MAX_SEED, GenerationRequest
from webui.processing.plan import make_plan


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 114294952475285, 6687881544318117707])
def test_further_images_take_the_seeds_that_follow(seed: int) -> None:
    batches = make_plan(GenerationRequest(seed=seed, subseed=seed, batch_size=2, n_iter=2)).batches
    assert [one for batch in batches for one in batch.seeds] == [seed, seed + 1, seed + 2, seed + 3]
    assert [one for batch in batches for one in batch.subseeds] == [seed, seed + 1, seed + 2, seed + 3]


def test_after_the_last_seed_comes_0() -> None:
    (batch,) = make_plan(GenerationRequest(seed=MAX_SEED, batch_size=2)).batches
    assert batch.seeds == (2**64 - 1, 0)
