"""Hooks of a job: order, containment, undoing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.narrowing import known
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.planned_image import PlannedImage
from webui.domain.request import GenerationRequest
from webui.extension_api.hookspecs import JobSpec
from webui.extension_api.markers import hookimpl
from webui.plugins.calling import ExtensionError
from webui.plugins.jobhooks import JobHooks
from webui.prompt.conditioning import Conditioning, PromptTexts
from webui.sampling.steps import ModelCall, Residuals, Step, Window

LATENTS = torch.ones(1, 4, 8, 8)
STEP = Step(0, 10, torch.tensor(5.0), torch.tensor(4.0))
CALL = ModelCall(STEP, LATENTS, torch.ones(1), torch.ones(1, 77, 8), torch.ones(1, dtype=torch.bool))


class Doubles:
    @hookimpl
    def pre_step(self, latents: Tensor) -> Tensor:
        return latents * 2

    @hookimpl
    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        return latents + denoised

    @hookimpl
    def edit_denoised(self, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return denoised + cond - uncond

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> Residuals:
        return Residuals((torch.ones(2),), torch.ones(3))

    @hookimpl
    def edit_pixels(self, pixels: Tensor, index: int) -> Tensor:
        return pixels / 2 + index

    @hookimpl
    def edit_image(self, image: Image.Image, index: int) -> Image.Image:
        return image.resize((image.width * 2, image.height * 2))

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest:
        return request.with_(steps=request.steps * 2)

    @hookimpl
    def edit_conditioning(self, conditioning: Conditioning) -> None:
        return None


class Raises:
    @hookimpl
    def pre_step(self, latents: Tensor) -> Tensor:
        raise RuntimeError("no")

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> Residuals:
        raise RuntimeError("no")


class WrongShape:
    @hookimpl
    def pre_step(self, latents: Tensor) -> Tensor:
        return latents[:, :2]

    @hookimpl
    def edit_image(self, image: Image.Image) -> str:
        return "picture"


class Mutates:
    @hookimpl
    def pre_step(self, latents: Tensor) -> None:
        latents.zero_()


class Stops:
    @hookimpl
    def pre_step(self, latents: Tensor) -> Tensor:
        raise Cancelled("stopped by the user")


def unasked(latents: Tensor, positive: bool) -> Tensor:
    raise AssertionError("no extension here asks the network")


def joined(**members: object) -> JobHooks:
    hooks = JobHooks()
    for name, member in members.items():
        hooks.join(name, member)
    return hooks


def test_each_extension_gets_what_the_one_before_returned() -> None:
    hooks = joined(a=Doubles(), b=Doubles())
    torch.testing.assert_close(hooks.pre_step(STEP, LATENTS), LATENTS * 4)
    torch.testing.assert_close(hooks.post_step(STEP, LATENTS, LATENTS), LATENTS * 3)
    torch.testing.assert_close(hooks.edit_denoised(STEP, LATENTS, LATENTS * 2, LATENTS, LATENTS, unasked), LATENTS * 3)
    torch.testing.assert_close(hooks.edit_pixels(torch.ones(3, 2, 2), 4), torch.full((3, 2, 2), 6.25))
    assert hooks.edit_image(Image.new("RGB", (2, 2)), 0).size == (8, 8)
    assert hooks.edit_request(GenerationRequest(steps=5)).steps == 20
    nothing = Conditioning((), ())
    assert hooks.edit_conditioning(nothing, PromptTexts((), (), lambda prompts, negatives: nothing)) is nothing


IMAGE = PlannedImage("a cat", "", 3, 4)


class PlansTwice:
    @hookimpl
    def plan_images(self, images: Sequence[PlannedImage]) -> list[PlannedImage]:
        return [replace(one, prompt=f"{one.prompt} {side}") for one in images for side in "lr"]


class Plans:
    def __init__(self, answer: object) -> None:
        self._answer = answer

    @hookimpl
    def plan_images(self) -> object:
        return self._answer


def test_each_extension_plans_what_the_one_before_planned() -> None:
    hooks = joined(a=PlansTwice(), b=Plans(None), c=PlansTwice())
    planned = hooks.plan_images(GenerationRequest(), (IMAGE,))
    assert [one.prompt for one in planned] == ["a cat l l", "a cat l r", "a cat r l", "a cat r r"]
    assert {one.seed for one in planned} == {3}


@pytest.mark.parametrize("answer", [[], ["a cat"], 5, [replace(IMAGE, seed=-1)], [replace(IMAGE, subseed=2**64)]])
def test_a_plan_that_is_none_fails_the_job(answer: object) -> None:
    with pytest.raises(WebuiError, match="extension a, plan_images"):
        joined(a=Plans(answer)).plan_images(GenerationRequest(), (IMAGE,))


def test_residuals_of_all_extensions_are_summed() -> None:
    total = known(joined(a=Doubles(), b=Doubles()).unet_residuals(CALL))
    torch.testing.assert_close(total.down[0], torch.full((2,), 2.0))
    torch.testing.assert_close(total.mid, torch.full((3,), 2.0))
    assert JobHooks().unet_residuals(CALL) is None


class Halves:
    """Has the network called for the left and the right half apart."""

    @hookimpl
    def call_network(self, call: ModelCall, network: Callable[[ModelCall], Tensor]) -> Tensor:
        halves = [Window(0, left, 8, 4) for left in (0, 4)]
        return torch.cat(list(network(call.within(halves)).chunk(2)), dim=-1)


class FlatAnswer:
    @hookimpl
    def call_network(self, call: ModelCall) -> Tensor:
        return torch.zeros(3)


class Breaks:
    @hookimpl
    def call_network(self, call: ModelCall, network: Callable[[ModelCall], Tensor]) -> Tensor:
        network(call)
        raise RuntimeError("no")


def test_the_network_is_called_as_an_extension_wants_it() -> None:
    asked: list[ModelCall] = []

    def network(call: ModelCall) -> Tensor:
        asked.append(call)
        return call.sample + 1

    sample = torch.arange(64.0).view(1, 1, 8, 8)
    call = replace(CALL, sample=sample)
    assert torch.equal(joined(a=Halves()).call_network(call, network), sample + 1)
    assert asked[0].sample.shape == (2, 1, 8, 4)
    assert asked[0].cells == (8, 8)
    assert torch.equal(asked[0].cut(sample), asked[0].sample)
    assert asked[0].cut(torch.zeros(1, 3, 16, 16), 2).shape == (2, 3, 16, 8)


@pytest.mark.parametrize("bad", [FlatAnswer(), Breaks()], ids=["shape", "raises"])
def test_where_an_extension_fails_the_network_is_called_as_usual(bad: object) -> None:
    hooks = joined(bad=bad, good=Doubles())
    assert torch.equal(hooks.call_network(CALL, lambda call: call.sample), LATENTS)
    assert [notice.source for notice in hooks.notices] == ["bad"]


def test_what_the_network_raises_is_no_fault_of_the_extension() -> None:
    hooks = joined(a=Halves())

    def network(call: ModelCall) -> Tensor:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        hooks.call_network(CALL, network)
    assert not hooks.notices


@pytest.mark.parametrize("bad", [Raises(), WrongShape(), Mutates()], ids=["raises", "wrong shape", "mutates"])
def test_a_failing_extension_is_dropped_noted_and_the_rest_go_on(bad: object) -> None:
    hooks = joined(bad=bad, good=Doubles())
    torch.testing.assert_close(hooks.pre_step(STEP, LATENTS), LATENTS * 2)
    torch.testing.assert_close(hooks.pre_step(STEP, LATENTS), LATENTS * 2)
    assert [notice.source for notice in hooks.notices] == ["bad"]


def test_cancelling_is_not_a_fault_of_an_extension() -> None:
    hooks = joined(stops=Stops())
    with pytest.raises(Cancelled):
        hooks.pre_step(STEP, LATENTS)
    assert not hooks.notices


def test_an_unknown_hook_is_refused_by_name() -> None:
    class Unknown:
        @hookimpl
        def after_everything(self) -> None:
            return None

    with pytest.raises(ExtensionError, match="after_everything"):
        joined(new=Unknown())


@pytest.mark.parametrize("hook", [name for name in vars(JobSpec) if not name.startswith("_")])
def test_every_hook_says_when_it_is_called(hook: str) -> None:
    assert len(getattr(JobSpec, hook).__doc__) > 40
