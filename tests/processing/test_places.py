"""Where steps and calls of the network stand in their job: what hooks are told, for every sampler and every pass."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.exact_back import exact_back
from tests.extensions.toys import toy
from tests.processing.reporters import Silent
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import WebuiError
from webui.domain.hires import Hires
from webui.domain.request import GenerationRequest, Refiner, Txt2Img
from webui.extension_api.job_context import JobContext
from webui.extension_api.markers import hookimpl
from webui.plugins.jobhooks import JobHooks
from webui.processing.plan import make_plan
from webui.processing.sample import Noising, sample_batch
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.sampling.denoiser import Stage
from webui.sampling.parameterisation import VarianceExploding
from webui.sampling.steps import ModelCall, Place, Residuals, Step
from webui.weights.families.stable_diffusion.members import SD1
from webui.weights.families.stable_diffusion.noise_table import standard_table

SWITCH = 4  # the call with which the refiner takes over
NOTING = """
    class Member:
        def __init__(self, job):
            self.job, self.seen = job, {}

        def told(self):
            try:
                return self.job.model.family.name
            except WebuiError as error:
                return str(error)

        @hookimpl
        def edit_request(self, request):
            self.early = self.told()

        @hookimpl
        def unet_residuals(self, call):
            place = call.place
            run = f"{place.batch}{'h' if place.hires else 'f'}{place.stage[0]}"
            self.seen.setdefault(run, []).append((call.step.index, place.call))

        @hookimpl
        def image_fields(self):
            seen = " ".join(f"{run}{calls[0][1]}-{calls[-1][1]}" for run, calls in self.seen.items())
            return {"Seen": seen, "Model": self.told(), "Early": self.early.replace(",", " ")}

    @hookimpl
    def join_job(job):
        return Member(job)
"""


class Flat:
    """A network that answers zeros."""

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        return torch.zeros_like(call.sample)


class Noted:
    """Notes the places of a run of the sampler."""

    def __init__(self) -> None:
        self.before: list[Step] = []
        self.calls: list[Step] = []
        self.edited: list[Step] = []
        self.after: list[Step] = []

    @hookimpl
    def pre_step(self, step: Step) -> None:
        self.before.append(step)

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> None:
        assert call.place is call.step.place
        self.calls.append(call.step)

    @hookimpl
    def edit_denoised(self, step: Step) -> None:
        self.edited.append(step)

    @hookimpl
    def post_step(self, step: Step) -> None:
        self.after.append(step)


@pytest.mark.parametrize("sampler", [info.label for info in SAMPLERS.values()])
def test_every_sampler_tells_where_it_stands(sampler: str) -> None:
    request = GenerationRequest(prompt="a", sampler=sampler, steps=5, width=64, height=64, n_iter=3, seed=1)
    plan = make_plan(request)
    text = Conditioning(
        ((Part(1.0, (Span(99, torch.ones(77, 8)),)),),), ((Span(99, torch.zeros(154, 8)),),), torch.zeros(77, 8)
    )
    table = standard_table()
    noising = Noising(SD1, table, VarianceExploding(table))
    stages = [Stage(Flat(), noising.asked, text), Stage(Flat(), noising.asked, text, name="refiner")]
    noted, hooks = Noted(), JobHooks()
    hooks.join("noted", noted)
    sample_batch(
        plan, plan.batches[2], lambda done, calls: stages[calls >= SWITCH], noising, hooks,
        lambda step, denoised: None, device=torch.device("cpu"), hires=True,
    )  # fmt: skip
    assert not hooks.notices
    assert {(one.place.batch, one.hires) for one in (*noted.before, *noted.calls, *noted.after)} == {(2, True)}
    numbers = [one.place.call for one in noted.edited]
    assert numbers == list(range(len(numbers)))
    counted: Counter[int] = Counter()
    for one in noted.edited:
        assert one.place == Place(
            2, True, "refiner" if one.place.call >= SWITCH else "base", one.place.call, counted[one.index]
        )
        counted[one.index] += 1
    assert list(dict.fromkeys(one.place for one in noted.calls)) == [one.place for one in noted.edited]
    assert [one.place.call_in_step for one in noted.after] == [counted[one.index] for one in noted.after]
    for earlier, later in zip(noted.after, noted.before[1:], strict=False):
        assert (earlier.place.stage, earlier.place.call) == (later.place.stage, later.place.call)


def test_a_job_tells_its_batches_passes_stages_and_model(tiny_models_dir: Path, tmp_path: Path) -> None:
    toy(tmp_path / "extensions", "noting", NOTING)
    back = exact_back(models_dir=tiny_models_dir, data_dir=tmp_path, extensions_dir=tmp_path / "extensions")
    hires = Hires(enabled=True, scale=1.5, upscaler="Latent", steps=2, refiner_pass="first pass")
    request = GenerationRequest(
        task=Txt2Img(hires=hires), prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=4, seed=5,
        width=64, height=64, n_iter=2, refiner=Refiner(checkpoint="tiny-sd1-b", switch_at=0.5, by_steps=True),
    )  # fmt: skip
    made = back.run(request, Silent())
    assert not made.notices
    text = made.images[-1].infotext
    assert "Seen: 0fb0-1 0fr2-3 0hb0-1 1fb0-1 1fr2-3 1hb0-1" in text
    assert "Model: sd1" in text
    assert "job.model is not known here" in text


def test_a_job_that_loads_nothing_tells_of_no_model() -> None:
    job = JobContext(GenerationRequest(), None, torch.device("cpu"), torch.float32, None, print)  # type: ignore[arg-type]
    with pytest.raises(WebuiError, match="read it in use_networks or a later hook"):
        _ = job.model
