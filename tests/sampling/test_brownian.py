"""The Brownian step noise: a known path, and the laws of Brownian motion."""

import itertools

import pytest
import torch

from webui.domain.catalog import SAMPLERS
from webui.domain.request import Schedule
from webui.sampling.brownian import BrownianNoise, BrownianTree
from webui.sampling.noise import Source
from webui.sampling.schedules import sigmas_for
from webui.weights.families.stable_diffusion.noise_table import standard_table

CPU = torch.device("cpu")
SOURCES: tuple[Source, ...] = ("CPU", "GPU", "NV")
SHAPE = (4, 8, 8)
LOW, HIGH = 0.03, 14.6


def tree(seed: int = 42, *, source: Source = "CPU", shape: tuple[int, ...] = SHAPE) -> BrownianTree:
    return BrownianTree(seed, LOW, HIGH, shape, source, CPU)


def noise(seeds: list[int], *, source: Source = "CPU", shared: bool = False) -> BrownianNoise:
    return BrownianNoise(seeds, SHAPE, LOW, HIGH, source, CPU, shared)


def karras_ten() -> torch.Tensor:
    return sigmas_for(SAMPLERS["DPM++ SDE"], "Karras", 10, standard_table(), Schedule(), tuned_levels="sd")


def test_the_known_first_steps_of_a_karras_run() -> None:
    sigmas = karras_ten()
    drawn = BrownianNoise([42], SHAPE, float(sigmas[-2]), float(sigmas[0]), "CPU", CPU)
    first, second = drawn(sigmas[0], sigmas[1]).flatten(), drawn(sigmas[1], sigmas[2]).flatten()
    assert first[:4].tolist() == pytest.approx([-1.319598, 0.868334, 0.906200, 0.431607], abs=2e-6)
    assert second[:2].tolist() == pytest.approx([0.767141, -1.045263], abs=2e-6)


@pytest.mark.parametrize("source", SOURCES)
def test_increments_add_up(source: Source) -> None:
    path = tree(source=source)
    for low, middle, high in itertools.combinations([LOW, 0.1, 0.777777, 3.3, 9.123456, HIGH], 3):
        both = path.increment(low, middle) + path.increment(middle, high)
        torch.testing.assert_close(both, path.increment(low, high), atol=1e-5, rtol=1e-5)


def test_the_path_does_not_depend_on_the_order_of_questions() -> None:
    times = [0.05, 0.3, 1.0, 2.5, 7.0, 12.0]
    questions = list(itertools.pairwise(times))
    forwards, backwards = tree(), tree()
    asked = {question: forwards.increment(*question) for question in questions}
    for question in reversed(questions):
        assert torch.equal(backwards.increment(*question), asked[question])


def test_the_path_is_the_same_after_many_questions() -> None:
    """More halvings than the tree keeps: those thrown away are drawn again."""
    path = tree(shape=(2,))
    before = path.increment(1.234567, 1.3)
    for index in range(40):
        path.increment(0.1 + index * 0.3, 0.2 + index * 0.3)
    assert torch.equal(path.increment(1.234567, 1.3), before)


@pytest.mark.parametrize(("start", "end"), [(LOW, HIGH), (0.05, 0.06), (2.0, 9.0), (13.0, 14.59)])
def test_increments_have_the_variance_of_their_length(start: float, end: float) -> None:
    increment = tree(shape=(4, 64, 64)).increment(start, end)
    assert float(increment.mean()) == pytest.approx(0, abs=0.03 * (end - start) ** 0.5)
    assert float(increment.var()) == pytest.approx(end - start, rel=0.06)


def test_increments_that_do_not_overlap_are_independent() -> None:
    path = tree(shape=(4, 64, 64))
    one, other = path.increment(0.5, 2.0), path.increment(2.0, 5.0)
    correlation = (one * other).mean() / (one.std() * other.std())
    assert float(correlation) == pytest.approx(0, abs=0.03)


def test_times_are_clamped_to_the_range_and_an_empty_interval_is_0() -> None:
    path = tree()
    assert torch.equal(path.increment(0.0, 99.0), path.increment(LOW, HIGH))
    assert not path.increment(1.0, 1.0).any()
    assert not path.increment(1.0, 1.0000001).any()
    assert not path.increment(20.0, 30.0).any()


@pytest.mark.parametrize("source", SOURCES)
def test_a_batch_equals_its_images_alone(source: Source) -> None:
    seeds = [3, 4, 5]
    batch, alone = noise(seeds, source=source), [noise([seed], source=source) for seed in seeds]
    for sigma, sigma_next in itertools.pairwise(torch.tensor([14.6, 8.0, 2.0, 0.5, 0.03])):
        drawn = batch(sigma, sigma_next)
        assert drawn.shape == (3, *SHAPE)
        assert drawn.dtype == torch.float32
        assert torch.equal(drawn, torch.cat([one(sigma, sigma_next) for one in alone]))


def test_noise_is_the_increment_over_its_deviation_and_changes_sign_with_the_direction() -> None:
    drawn, path = noise([42]), tree()
    down = drawn(torch.tensor(4.0), torch.tensor(2.0))
    torch.testing.assert_close(down[0], -path.increment(2.0, 4.0) / 2**0.5)
    assert torch.equal(drawn(torch.tensor(2.0), torch.tensor(4.0)), -down)


def test_finer_steps_meet_the_same_path() -> None:
    drawn = noise([42])
    sigmas = torch.tensor([9.0, 5.0, 3.0])
    fine = sum(drawn(a, b) * (a - b).sqrt() for a, b in itertools.pairwise(sigmas))
    torch.testing.assert_close(drawn(sigmas[0], sigmas[2]) * 6**0.5, fine, atol=1e-5, rtol=1e-5)


def test_a_shared_tree_makes_an_image_depend_on_its_batch() -> None:
    levels = torch.tensor(4.0), torch.tensor(2.0)
    pair = noise([1, 2], shared=True)(*levels)
    assert pair.shape == (2, *SHAPE)
    assert torch.equal(pair, noise([1, 2], shared=True)(*levels))
    assert not torch.equal(pair[:1], noise([1], shared=True)(*levels))
    assert float(pair.std()) == pytest.approx(1, abs=0.1)


def test_the_seed_of_a_shared_tree_is_the_next_number_after_the_last_seed() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        entropy = int(torch.randint(0, 2**63 - 1, ()))
    path = BrownianTree(entropy, LOW, HIGH, (2, *SHAPE), "CPU", CPU)
    drawn = noise([1, 2], shared=True)(torch.tensor(4.0), torch.tensor(2.0))
    torch.testing.assert_close(drawn, -path.increment(2.0, 4.0) / 2**0.5)


def test_a_run_of_one_step_can_be_prepared() -> None:
    level = torch.tensor(14.6)
    drawn = BrownianNoise([1], SHAPE, 14.6, 14.6, "CPU", CPU)
    assert not drawn(level, level).any()


def test_the_global_generator_plays_no_part() -> None:
    before = torch.random.get_rng_state()
    noise([1, 2], shared=True)(torch.tensor(4.0), torch.tensor(2.0))
    noise([1, 2])(torch.tensor(4.0), torch.tensor(2.0))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_wrong_seeds_and_ranges_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        tree(-1)
    with pytest.raises(ValueError, match="start <= end"):
        BrownianTree(1, 2.0, 1.0, SHAPE, "CPU", CPU)
