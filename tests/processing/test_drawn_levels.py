"""The schedule that is drawn is the one that a run has used, for every schedule and sampler; a list of one's own is
used as it is.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from webui.domain.catalog import SAMPLERS, SCHEDULES
from webui.domain.errors import BadRequestError
from webui.domain.parameters.leaves import replaced
from webui.domain.request import GenerationRequest
from webui.processing import sample
from webui.processing.back import Back
from webui.sampling.steps import Step

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=3, seed=5, width=64, height=64
)
WALKERS = [label for label, info in SAMPLERS.items() if not info.own_steps and label != "Restart"]


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    data = tmp_path_factory.mktemp("data")
    made = exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions")
    yield made
    made.close()


def _run(back: Back, request: GenerationRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[float]]:
    """The picture, and the levels between which its steps went."""
    steps: list[Step] = []
    sample_batch = sample.sample_batch

    def watched(plan: Any, batch: Any, stage: Any, noising: Any, hooks: Any, watch: Any, **more: Any) -> Any:
        def seen(step: Step, latents: Any) -> None:
            steps.append(step)
            watch(step, latents)

        return sample_batch(plan, batch, stage, noising, hooks, seen, **more)

    monkeypatch.setattr("webui.processing.batches.sample_batch", watched)
    made = back.run(request, Silent()).images[0].image
    monkeypatch.undo()
    file = io.BytesIO()
    made.save(file, "PNG")
    return file.getvalue(), [float(steps[0].sigma), *(float(step.sigma_next) for step in steps)]


@pytest.mark.parametrize(
    "changes",
    [{"scheduler": label} for label in SCHEDULES]
    + [{"sampler": label, "steps": 2} for label in WALKERS]
    + [{"schedule.rho": 3.0, "scheduler": "Karras"}, {"schedule.zero_terminal_snr": True}],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_the_drawn_levels_are_those_of_the_run(
    back: Back, changes: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replaced(REQUEST, changes)
    drawn = back.noise_levels(request)
    assert _run(back, request, monkeypatch)[1] == list(drawn.sigmas)
    assert len(drawn.timesteps) == len(drawn.sigmas)


def test_samplers_that_choose_for_themselves_have_no_levels(back: Back) -> None:
    assert back.noise_levels(REQUEST.with_(sampler="DPM adaptive")).sigmas == ()


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M", "DPM2", "DPM++ SDE"])
def test_a_list_equal_to_a_schedules_gives_the_same_picture_to_the_bit(
    back: Back, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = REQUEST.with_(sampler=sampler, scheduler="Karras")
    drawn = back.noise_levels(request).sigmas
    listed = replaced(request, {"scheduler": "Simple", "schedule.sigmas": drawn})
    plain = _run(back, request, monkeypatch)
    assert _run(back, listed, monkeypatch) == plain
    other = replaced(listed, {"schedule.sigmas": (*drawn[:-2], drawn[-2] * 0.9, 0.0)})
    assert _run(back, other, monkeypatch)[0] != plain[0]


@pytest.mark.parametrize(
    ("levels", "said"),
    [((1.0,), "one level"), ((2.0, 2.0), "must fall"), ((3.0, -1.0), "between 0"), ((20_000.0, 0.0), "between 0")],
)
def test_a_list_that_does_not_fall_is_refused(levels: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        replaced(REQUEST, {"schedule.sigmas": levels})


@pytest.mark.parametrize(
    ("changes", "said"), [({"steps": 7}, "set steps to 3"), ({"sampler": "DDIM"}, "choose a sampler such as Euler")]
)
def test_a_list_that_does_not_fit_is_refused(back: Back, changes: Mapping[str, Any], said: str) -> None:
    request = replaced(REQUEST, {"schedule.sigmas": (9.0, 3.0, 1.0, 0.0), **changes})
    with pytest.raises(BadRequestError, match=said):
        back.run(request, Silent())
