"""Generation inside generation, with toy extensions on tiny checkpoints: a run inside a job makes what a job of its own
makes, and leaves nothing behind.
"""

import functools
import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.exact_back import exact_back
from tests.extensions.toys import member, toy
from tests.processing.reporters import Silent
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.extensions import ActionCall, ActionProgress
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.processing.back import Back
from webui.processing.nesting import MAX_DEPTH, MAX_RUNS, Level, Nesting
from webui.processing.ports import Reporter

ROOT = Path(__file__).parents[2]
REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=2, seed=5, width=64, height=64
)
INNER = """
    from pydantic import Field

    class InnerOptions(Options):
        prompt: str = "a dog"
        changes: dict = Field(default_factory=dict)
        extensions: list[str] | None = None
        hook: str = "edit_image"
        keep: bool = False
        runs: int = 1

    class Member:
        def __init__(self, job):
            self.job = job

        def make(self, hook):
            options = self.job.options
            if options is None or hook != options.hook:
                return None
            request = self.job.request.with_(prompt=options.prompt, n_iter=1, **options.changes)
            made = None
            for run in range(options.runs):
                if self.job.stopped():
                    return None
                try:
                    made = self.job.generate(request, extensions=options.extensions, to_come=options.runs - 1 - run)
                except Cancelled:
                    return None
            return made

        @hookimpl
        def edit_request(self, request):
            made = self.make("edit_request")
            if made is not None:
                self.job.notice(made.images[0].infotext.splitlines()[0])

        @hookimpl
        def post_step(self, step, latents):
            self.make("post_step")

        @hookimpl
        def edit_image(self, image, index):
            made = self.make("edit_image")
            return made.images[0].image if made and not self.job.options.keep else None

        @hookimpl
        def extra_images(self):
            made = self.make("extra_images")
            return [one.image for one in made.images] if made else None

    @hookimpl
    def request_options():
        return InnerOptions

    @hookimpl
    def join_job(job):
        return Member(job)

    class MakeOptions(Options):
        prompt: str = "a dog"
        request: dict = Field(default_factory=dict)

    def make(options, context):
        context.progress(1, 2, "making")
        made = context.generate(GenerationRequest(prompt=options.prompt, **options.request))
        if made.interrupted:
            raise Cancelled("stopped")
        return ActionResult(made.images[0].infotext.splitlines()[0], tuple(one.image for one in made.images))

    @hookimpl
    def actions():
        return [Action("make", "Make", MakeOptions, make), Action("light", "Light", MakeOptions, make, light=True)]
"""
BOOM = """
@hookimpl
def edit_denoised(self, denoised):
    return None

@hookimpl
def edit_request(self, request):
    if "boom" in request.prompt:
        raise WebuiError("boom")
"""


class Listener(Silent):
    """Remembers progress, and wants an end once `stop` says so."""

    def __init__(self, stop: Callable[[Progress], str] = lambda progress: "") -> None:
        self.told: list[Progress] = []
        self.images: list[GeneratedImage] = []
        self._stop = stop

    def progress(self, progress: Progress) -> None:
        self.told.append(progress)

    def image(self, image: GeneratedImage) -> None:
        self.images.append(image)

    def stopped(self) -> str:
        return self._stop(self.told[-1])


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    extensions = tmp_path_factory.mktemp("extensions")
    toy(extensions, "inner", INNER)
    toy(extensions, "other", INNER)
    member(extensions, "boom", BOOM)
    shutil.copytree(ROOT / "extensions" / "lora", extensions / "lora")
    data = tmp_path_factory.mktemp("data")
    made = exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=extensions)
    assert {info.name: info.state for info in made.extensions()} == dict.fromkeys(
        ("boom", "inner", "lora", "other"), "ok"
    )
    yield made
    made.close()


def made(back: Back, **changes: object) -> GenerationResult:
    return back.run(REQUEST.with_(**changes), Silent())


@functools.cache
def known(back: Back, tiling: bool) -> GenerationResult:
    """What `PATCHED` makes before any run was inside it."""
    return made(back, **PATCHED, tiling=tiling)


def heard(back: Back, reporter: Reporter, **changes: object) -> GenerationResult:
    return back.run(REQUEST.with_(**changes), reporter)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def inner(**options: object) -> dict[str, dict[str, object]]:
    return {"inner": options}


def test_a_run_inside_makes_what_a_job_of_its_own_makes(back: Back) -> None:
    alone = made(back, prompt="a dog", seed=9)
    result = made(back, extensions=inner(changes={"seed": 9}))
    assert np.array_equal(pixels(alone.images[0].image), pixels(result.images[0].image))
    assert len(result.images) == 1
    assert result.images[0].infotext.startswith("a red cat")
    for hook in ("edit_request", "extra_images"):
        later = made(back, extensions=inner(changes={"seed": 9}, hook=hook))
        assert np.array_equal(pixels(later.images[0].image), pixels(made(back).images[0].image))
        found = later.extras[0] if later.extras else None
        assert (found is None) == (hook == "edit_request")
        assert found is None or np.array_equal(pixels(found), pixels(alone.images[0].image))
        assert [notice.text for notice in later.notices] == (["a dog"] if hook == "edit_request" else [])


def test_seeds_that_are_not_named_follow_from_the_job(back: Back) -> None:
    first = made(back, extensions=inner(changes={"seed": -1}))
    assert np.array_equal(pixels(first.images[0].image), pixels(made(back, prompt="a dog", seed=5).images[0].image))
    second = made(back, extensions=inner(changes={"seed": -1}, runs=2))
    assert np.array_equal(pixels(second.images[0].image), pixels(made(back, prompt="a dog", seed=6).images[0].image))


RUNS = 26  # the bound is not one tensor more, so that many show as much as any number
OTHER_LORA = "<lora:tiny-lora:-2> a dog"
PATCHED: dict[str, object] = {"prompt": "<lora:tiny-lora:1> a cat", "n_iter": 2}


@pytest.mark.parametrize(
    ("prompt", "changes"),
    [
        ("<lora:tiny-lora:1> a dog", {}),
        (OTHER_LORA, {}),
        (OTHER_LORA, {"checkpoint": "tiny-sd1-b"}),
        ("a dog", {"vae": "tiny-vae.safetensors"}),
        ("a dog", {"tiling": True}),
        ("boom", {}),
        ("boom", {"checkpoint": "tiny-sd1-b"}),
    ],
)
def test_nothing_of_a_run_is_left_to_the_next_batch(prompt: str, changes: dict[str, object], back: Back) -> None:
    job = {**PATCHED, "tiling": not changes}
    plain = known(back, not changes)
    asked = {"tiling": False, "seed": 3} | changes
    alone = None if prompt == "boom" else made(back, prompt=prompt, **asked)
    inside = made(back, **job, extensions=inner(prompt=prompt, changes=asked))
    around = made(back, **job, extensions=inner(prompt=prompt, changes=asked, keep=True))
    for number in range(2):
        assert np.array_equal(pixels(around.images[number].image), pixels(plain.images[number].image))
        wanted = plain.images[number] if alone is None else alone.images[0]
        assert np.array_equal(pixels(inside.images[number].image), pixels(wanted.image))
    assert any("boom" in notice.text for notice in inside.notices) == (prompt == "boom")
    again = made(back, **job)
    assert np.array_equal(pixels(again.images[1].image), pixels(plain.images[1].image))


def test_who_calls_does_not_join_its_run_and_notices_are_carried_once(back: Back) -> None:
    asked = {"extensions": {"inner": {"runs": 2, "changes": {"extensions": {"inner": {}}}}}}
    result = made(back, **asked)  # options of who calls are left out
    assert not result.notices
    both = {"prompt": "<what:is:this> a dog", "changes": {"extensions": {"other": {"prompt": "<what:is:this> a pig"}}}}
    result = made(back, extensions=inner(**both, runs=2))
    text = "<what:is:this> was left out: no extension handles 'what'"
    assert [notice.text for notice in result.notices] == [text]
    pig = made(back, prompt="a pig").images[0].image
    assert np.array_equal(pixels(result.images[0].image), pixels(pig))
    result = made(back, extensions=inner(**both, extensions=["lora"]))  # chosen: the other one may not join
    assert np.array_equal(pixels(result.images[0].image), pixels(made(back, prompt="a dog").images[0].image))
    result = made(back, extensions=inner(extensions=["nobody"]))
    assert "there is no extension 'nobody'" in result.notices[0].text


def test_depth_and_number_are_bounded(back: Back) -> None:
    deep: dict[str, object] = {"extensions": ["inner"]}
    for _ in range(MAX_DEPTH):
        deep = {"extensions": ["inner"], "changes": {"extensions": {"inner": deep}}}
    result = made(back, steps=1, extensions={"inner": deep})
    assert f"at most {MAX_DEPTH} runs go into each other" in result.notices[0].text

    def run(request: GenerationRequest, reporter: Reporter, level: Level) -> GenerationResult:
        return GenerationResult(request, (), ModelFacts("", ""), notices=(Notice("prompt", "same"),))

    class Outer(Listener):
        def wish(self) -> str:
            return ""

        def nested_progress(self, progress: Progress, to_come: int) -> None: ...
        def nested_ended(self, progress: Progress) -> None: ...

    nesting = Nesting(run, Outer())
    for _ in range(MAX_RUNS):
        nesting.generate("inner", "edit_image", REQUEST, None, 0)
    assert nesting.notices == [Notice("prompt", "same")]
    with pytest.raises(WebuiError, match="at most 1000 runs"):
        nesting.generate("inner", "edit_image", REQUEST, None, 0)
    nesting.close()
    with pytest.raises(WebuiError, match="after the end of the job"):
        nesting.generate("inner", "edit_image", REQUEST, None, 0)


def test_a_run_is_refused_while_the_model_is_at_work(back: Back) -> None:
    result = made(back, extensions=inner(hook="post_step"))
    assert "generate was called in post_step" in result.notices[0].text
    assert np.array_equal(pixels(result.images[0].image), pixels(made(back).images[0].image))


def test_progress_goes_on_behind_that_of_the_job(back: Back) -> None:
    listener = Listener()
    heard(back, listener, n_iter=2, extensions=inner(runs=2, changes={"steps": 3}))
    for batch in range(2):
        told = [one for one in listener.told if one.batch == batch and one.phase in ("sampling", "decoding")]
        done = [one.step for one in told]
        assert done == sorted(done)
        assert max(done) == told[-1].steps == 2 + 3 + 3
    assert all(one.batches == 2 for one in listener.told[1:])
    assert len(listener.images) == 2


@pytest.mark.parametrize("wish", ["skip", "interrupt"])
def test_the_wish_to_stop_ends_the_run_and_keeps_what_the_job_has(wish: str, back: Back) -> None:
    plain = made(back, n_iter=2)
    asked: list[Progress] = []

    def stop(progress: Progress) -> str:
        """A skip is told once, an interrupt from then on, as by `executors.running.Stop`."""
        if progress.batch == 0 and progress.step >= 4 and not asked:
            asked.append(progress)
            return wish
        return wish if asked and wish == "interrupt" else ""

    result = heard(back, Listener(stop), n_iter=2, extensions=inner(runs=3, keep=True))
    assert np.array_equal(pixels(result.images[0].image), pixels(plain.images[0].image))
    assert result.interrupted == (wish == "interrupt")
    assert len(result.images) == (2 if wish == "skip" else 1)  # a skip is for the batch in which it was asked for


def test_memory_is_flat_over_many_runs(back: Back) -> None:
    def living() -> tuple[int, int]:
        gc.collect()
        tensors = [one for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
        return len(tensors), sum(one.numel() * one.element_size() for one in tensors)

    request = {"steps": 1, "prompt": "<lora:tiny-lora:1> a cat"}
    made(back, **request, extensions=inner(prompt="a dog", changes={"steps": 1}))
    before = living()
    counts: list[tuple[int, int]] = []

    class Counting(Silent):
        def progress(self, progress: Progress) -> None:
            if progress.phase == "decoding" and progress.step > 1 and progress.step - 1 in (2, RUNS):
                counts.append(living())

    heard(back, Counting(), **request, extensions=inner(prompt="a dog", changes={"steps": 1}, runs=RUNS))
    assert len(counts) == 2
    assert len(set(counts)) == 1, counts
    assert living() == before


def test_an_action_makes_pictures_unless_it_is_light(back: Back) -> None:
    told: list[ActionProgress] = []
    changes = {name: getattr(REQUEST, name) for name in ("checkpoint", "sampler", "steps", "seed", "width", "height")}
    call = ActionCall("inner", "make", {"prompt": "<what:is:this> a dog", "request": changes})
    outcome = back.act(call, told.append, lambda: False)
    assert outcome.text == "<what:is:this> a dog"
    assert [notice.source for notice in outcome.notices] == ["prompt"]
    assert np.array_equal(pixels(outcome.images[0]), pixels(made(back, prompt="a dog").images[0].image))
    assert ActionProgress(1, 2, "making: step 2 of 2") in told
    with pytest.raises(Cancelled):
        back.act(call, told.append, lambda: True)
    with pytest.raises(WebuiError, match="cannot be made here"):
        back.act(ActionCall("inner", "light", {"request": changes}, light=True), told.append, lambda: False)
