"""What a plan fills in: seeds of every image, and the request that makes one image alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.narrowing import img2img
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import BadRequestError
from webui.domain.planned_image import PlannedImage
from webui.domain.request import MAX_SEED, GenerationRequest, Img2Img
from webui.processing.plan import calls_of, image_request, images_of, make_plan, with_images


def seeds_of(**options: object) -> tuple[list[int], list[int]]:
    """Seeds and subseeds of all images, in order."""
    plan = make_plan(GenerationRequest(prompt="a cat", **options))
    batches = plan.batches
    return [seed for one in batches for seed in one.seeds], [seed for one in batches for seed in one.subseeds]


def test_seeds_count_up_over_all_batches() -> None:
    assert seeds_of(seed=7, subseed=20, batch_size=2, n_iter=2) == ([7, 8, 9, 10], [20, 21, 22, 23])


def test_with_a_variation_only_the_subseeds_count_up() -> None:
    varied = seeds_of(seed=7, subseed=20, subseed_strength=0.3, batch_size=2, n_iter=2)
    assert varied == ([7, 7, 7, 7], [20, 21, 22, 23])


def test_after_the_last_seed_comes_the_first() -> None:
    assert seeds_of(seed=MAX_SEED, subseed=MAX_SEED - 1, batch_size=3) == (
        [MAX_SEED, 0, 1],
        [MAX_SEED - 1, MAX_SEED, 0],
    )


@given(st.integers(0, MAX_SEED), st.integers(1, 4), st.integers(1, 4))
def test_all_seeds_of_a_job_differ_and_are_seeds(seed: int, batch_size: int, n_iter: int) -> None:
    seeds, _ = seeds_of(seed=seed, subseed=0, batch_size=batch_size, n_iter=n_iter)
    assert len(set(seeds)) == batch_size * n_iter
    assert all(0 <= one <= MAX_SEED for one in seeds)


def test_a_drawn_seed_is_kept_in_the_request() -> None:
    plan = make_plan(GenerationRequest(seed=-1, subseed=-1))
    assert (plan.request.seed, plan.request.subseed) == (plan.batches[0].seeds[0], plan.batches[0].subseeds[0])
    assert plan.request.seed >= 0


@pytest.mark.parametrize("label", list(SAMPLERS))
def test_samplers_of_second_order_plan_two_calls_a_step(label: str) -> None:
    assert calls_of(SAMPLERS[label], 7) == (14 if SAMPLERS[label].second_order else 7)


def test_the_request_of_one_image_has_its_seed_and_its_picture() -> None:
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    task = Img2Img(image=pictures[0], further_images=(pictures[1],))
    plan = make_plan(GenerationRequest(task=task, seed=3, subseed=9, batch_size=2, n_iter=2))
    for position, picture in enumerate(pictures):
        alone = image_request(plan, 4, 10, position)
        assert (alone.seed, alone.subseed, alone.batch_size, alone.n_iter) == (4, 10, 1, 1)
        assert img2img(alone).image.open().tobytes() == picture.tobytes()
        assert img2img(alone).further_images == ()


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 114294952475285, 6687881544318117707])
def test_further_images_take_the_seeds_that_follow(seed: int) -> None:
    following = [seed, seed + 1, seed + 2, seed + 3]
    assert seeds_of(seed=seed, subseed=seed, batch_size=2, n_iter=2) == (following, following)


def image(number: int, prompt: str = "a") -> PlannedImage:
    return PlannedImage(prompt, "", 100 + number, number)


@pytest.mark.parametrize("count", [1, 4, 7])
def test_planned_images_fill_batches_in_order(count: int) -> None:
    images = tuple(image(number, f"cat {number}") for number in range(count))
    plan = with_images(make_plan(GenerationRequest(batch_size=3, n_iter=2, seed=5)), images)
    assert images_of(plan) == images
    assert [len(batch.seeds) for batch in plan.batches[:-1]] == [3] * (len(plan.batches) - 1)
    assert [index for batch in plan.batches for index in batch.indices] == list(range(count))
    assert (plan.request.n_iter, plan.request.prompt) == (len(plan.batches), "cat 0")


def test_images_with_networks_of_their_own_are_made_one_by_one() -> None:
    images = (image(0, "a <lora:x:1>"), image(1, "a"), image(2, "a"))
    plan = with_images(make_plan(GenerationRequest(batch_size=3, seed=5)), images)
    assert [batch.seeds for batch in plan.batches] == [(100,), (101,), (102,)]
    assert images_of(plan) == images


def test_more_images_than_a_request_may_make_are_refused() -> None:
    plan = make_plan(GenerationRequest(width=2048, height=2048, steps=150, seed=5))
    with pytest.raises(BadRequestError, match=r"^n_iter: 100 batches of 1 .* in one request"):
        with_images(plan, [image(number) for number in range(100)])
    with pytest.raises(BadRequestError, match="1001 batches"):
        with_images(plan, [image(number) for number in range(1001)])


def test_images_that_start_from_a_picture_each_fill_their_batches() -> None:
    task = Img2Img(image=Image.new("RGB", (8, 8)), further_images=(Image.new("RGB", (8, 8)),))
    plan = make_plan(GenerationRequest(task=task, batch_size=2, seed=5))
    assert len(with_images(plan, [image(number) for number in range(4)]).batches) == 2
    with pytest.raises(BadRequestError, match=r"^batch_size: 3 images"):
        with_images(plan, [image(number) for number in range(3)])
