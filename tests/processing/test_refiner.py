"""When the refiner takes over: exactly where A1111's two ways of counting say."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.sampling.toy import alphas, karras
from webui.domain.request import GenerationRequest, Refiner
from webui.processing.back import Back

STEPS = 10
CHECKPOINTS = ("tiny-sd1", "tiny-sd1-b")
REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint=CHECKPOINTS[0], sampler="Euler", scheduler="Karras", steps=STEPS, seed=5, width=64,
    height=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, preview_every=0, checkpoints_in_memory=2)


@pytest.fixture
def calls(back: Back, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each checkpoint's network was called."""
    counted: Counter[str] = Counter()
    for name in CHECKPOINTS:
        module = back._models.get(back._library.checkpoint(name), None).unet.module

        def forward(
            *given: object, name: str = name, plain: Callable[..., object] = module.forward, **named: object
        ) -> object:
            counted[name] += 1
            return plain(*given, **named)

        monkeypatch.setattr(module, "forward", forward)
    return counted


def refined(back: Back, **refiner: object) -> None:
    back.run(REQUEST.with_(refiner=Refiner(checkpoint=CHECKPOINTS[1], **refiner)), Silent())


@pytest.mark.parametrize(("switch_at", "first"), [(0.1, 1), (0.5, 5), (0.55, 6), (0.8, 8), (1.0, 10)])
def test_counted_by_steps_it_makes_the_rest_of_them(
    switch_at: float, first: int, back: Back, calls: Counter[str]
) -> None:
    refined(back, switch_at=switch_at, by_steps=True)
    assert [calls[name] for name in CHECKPOINTS] == [first, STEPS - first]


@pytest.mark.parametrize("switch_at", [0.1, 0.3, 0.5, 0.65, 0.8])
def test_counted_by_noise_levels_it_takes_over_at_its_share_of_the_timesteps(
    switch_at: float, back: Back, calls: Counter[str]
) -> None:
    """The share that is done is (999 - t) / 1000 for the timestep t whose noise level is nearest; Karras' steps are
    uneven, so that counting steps would often tell otherwise.
    """
    table = ((1 - alphas(torch.float64)) / alphas(torch.float64)).sqrt()
    nearest = [int((table - sigma).abs().argmin()) for sigma in karras(STEPS)[:-1]]
    first = sum((999 - timestep) / 1000 < switch_at for timestep in nearest)
    refined(back, switch_at=switch_at)
    assert [calls[name] for name in CHECKPOINTS] == [first, STEPS - first]


def test_without_a_refiner_the_checkpoint_makes_all(back: Back, calls: Counter[str]) -> None:
    back.run(REQUEST, Silent())
    assert [calls[name] for name in CHECKPOINTS] == [STEPS, 0]
