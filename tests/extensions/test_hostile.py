"""Extensions that do everything wrong, in real jobs on a tiny model: the picture is kept, and the user is told."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.extensions.toys import JOB_HOOKS, good, member, toy
from tests.processing.reporters import Silent
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.library.library import ModelLibrary
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import Loaded, load_all
from webui.plugins.models import LibraryModels
from webui.processing.run import Pipeline
from webui.processing.texts import Texts
from webui.processing.upscaling import Upscalers
from webui.weights.families.registry import FAMILIES
from webui.weights.memory import ModelCache
from webui.weights.upscalers import UpscalerCache

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=4, seed=5, width=64, height=64
)
GOOD = REQUEST.with_(extensions={"good": {"word": "x"}})
AFTERWARDS = ("file_words", "job_ended", "extra_images")  # called when the infotext is written
FATAL = ("edit_request", "plan_images", "edit_image_request", "patch_model")
Maker = Callable[[Path], object]


class Kitchen:
    """Pipelines over one set of loaded models; each has extensions of its own."""

    def __init__(self, data: Path, models_dir: Path) -> None:
        self._library = ModelLibrary(models_dir, data, FAMILIES)
        self._models = ModelCache(self._library, torch.device("cpu"), torch.float32)
        self._texts = Texts(self._library, data / "styles.csv")

    def pipeline(self, extensions: Path | Loaded) -> Pipeline:
        loaded = load_all(extensions) if isinstance(extensions, Path) else extensions
        host = ExtensionHost(loaded, LibraryModels(self._library), torch.device("cpu"), torch.float32)
        upscalers = Upscalers(self._library, UpscalerCache(self._library, torch.device("cpu")))
        return Pipeline(self._library, self._models, self._texts, host, upscalers, BackSettings(preview_every=0))


@pytest.fixture(scope="module")
def kitchen(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("data"), tiny_models_dir)


@pytest.fixture
def run(tmp_path: Path, kitchen: Kitchen) -> Callable[..., GenerationResult]:
    """Runs a request with a good extension beside those that the makers write."""
    backs: dict[tuple[Maker, ...], Pipeline] = {}

    def running(*makers: Maker, request: GenerationRequest = GOOD) -> GenerationResult:
        if makers not in backs:
            folder = tmp_path / f"extensions{len(backs)}"
            good(folder)
            for make in makers:
                make(folder)
            backs[makers] = kitchen.pipeline(folder)
        return backs[makers].run(request, Silent())

    return running


@pytest.fixture(scope="module")
def plain(kitchen: Kitchen) -> Image.Image:
    return kitchen.pipeline(Path("nowhere")).run(REQUEST, Silent()).images[0].image


def same(result: GenerationResult, picture: Image.Image) -> bool:
    return len(result.images) == 1 and bool((np.asarray(result.images[0].image) == np.asarray(picture)).all())


def told(result: GenerationResult, name: str) -> str:
    return " ".join(notice.text for notice in result.notices if notice.source == name)


def raising(signature: str) -> Maker:
    """One that raises in a hook; it has the hook's name."""
    hook = signature.partition("(")[0]
    return lambda folder: member(folder, hook, f"@hookimpl\ndef {signature}:\n    raise RuntimeError('broken')")


@pytest.mark.parametrize("hook", FATAL)
def test_raising_before_the_work_fails_the_job(run: Callable[..., GenerationResult], hook: str) -> None:
    [signature] = [one for one in JOB_HOOKS if one.startswith(f"{hook}(")]
    with pytest.raises(WebuiError, match=f"extension {hook}, {hook}: RuntimeError: broken"):
        run(raising(signature))


def test_raising_in_any_other_hook_costs_that_extension(
    run: Callable[..., GenerationResult], plain: Image.Image
) -> None:
    """One extension for each hook, in one job."""
    signatures = {one.partition("(")[0]: one for one in JOB_HOOKS if not one.startswith(FATAL)}
    result = run(*map(raising, signatures.values()))
    assert same(result, plain)
    for hook in signatures:
        assert f"{hook}: RuntimeError: broken" in told(result, hook)
    text = result.images[0].infotext
    assert "Toy: X" in text
    found = re.search(r"Failed extensions: \"?([a-z_, ]+)", text)
    assert found is not None
    assert set(found[1].split(", ")) == signatures.keys() - set(AFTERWARDS)


WRONG = {
    "wrong shape": "@hookimpl\ndef pre_step(self, latents):\n    return latents[:, :2]",
    "wrong type": "@hookimpl\ndef post_step(self, latents):\n    return 'latents'",
    "in place": "@hookimpl\ndef pre_step(self, latents):\n    latents.mul_(3)",
    "in place, after guidance": "@hookimpl\ndef edit_denoised(self, cond):\n    cond.zero_()",
    "in place, before the network": "@hookimpl\ndef unet_residuals(self, call):\n    call.sample.zero_()",
    "residuals of another kind": "@hookimpl\ndef unet_residuals(self, call):\n    return [1]",
    "fewer pixels": "@hookimpl\ndef edit_pixels(self, pixels):\n    return pixels[:, ::2]",
    "no picture": "@hookimpl\ndef edit_image(self, image):\n    return 'picture'",
    "sys.exit": "@hookimpl\ndef pre_step(self):\n    import sys\n    sys.exit(1)",
    "extra images of another kind": "@hookimpl\ndef extra_images(self):\n    return [1]",
}


def test_breaking_the_contract(run: Callable[..., GenerationResult], plain: Image.Image) -> None:
    """One extension for each way, in one job: each is given what it would be given without the others."""
    names = {f"bad_{number}": body for number, body in enumerate(WRONG.values())}

    def all_of_them(folder: Path) -> None:
        for name, body in names.items():
            member(folder, name, body)

    result = run(all_of_them)
    assert same(result, plain)
    assert all(told(result, name) for name in names), result.notices
    assert "Toy: X" in result.images[0].infotext


LEAKS = {
    "hook": "model.unet.module.conv_in.register_forward_hook(lambda m, i, o: o * 0)",
    "forward": "model.unet.module.conv_out.forward = lambda x: x[:, :4] * 0",
    "weight": "model.unet.module.conv_out.weight.data.zero_()",
    "other tensor": "model.vae.module.post_quant_conv.weight = torch.nn.Parameter(torch.zeros(4, 4, 1, 1))",
}


@pytest.mark.parametrize(("name", "kept"), [*((name, False) for name in LEAKS), ("weight", True)])
def test_a_leaked_patch_does_not_outlive_its_job(
    tmp_path: Path, kitchen: Kitchen, plain: Image.Image, name: str, kept: bool
) -> None:
    body = """
    @hookimpl
    def patch_model(self, model):
        return Leak(model)
    """
    setup = f"""
    import torch
    class Leak:
        key = {1 if kept else None}
        def __init__(self, model):
            self.model = model
        def __enter__(self):
            model = self.model
            {LEAKS[name]}
        def __exit__(self, *error):
            pass
    """
    place = member(tmp_path / "e", "bad", body, setup)
    code = (place / "plugin.py").read_text()
    (place / "plugin.py").write_text(code.replace("return Member()", "return Member() if job.request.tiling else None"))
    back = kitchen.pipeline(tmp_path / "e")
    spoilt = back.run(REQUEST.with_(tiling=True), Silent())
    assert len(spoilt.images) == 1
    if kept:
        with pytest.raises(WebuiError, match="bad: left the model changed"):
            back.run(REQUEST, Silent())
    else:
        assert "left the model changed" in told(spoilt, "bad")
    assert same(back.run(REQUEST, Silent()), plain)


def test_replacing_a_function_of_the_program_is_undone(
    run: Callable[..., GenerationResult], plain: Image.Image
) -> None:
    before = torch.nn.functional.group_norm

    def bad(folder: Path) -> None:
        body = "@hookimpl\ndef pre_step(self):\n    import torch\n    torch.nn.functional.group_norm = mine"
        member(folder, "bad", body, "def mine(input, *args, **more):\n    return input")

    result = run(bad)
    assert torch.nn.functional.group_norm is before
    assert "replaced torch.nn.functional.group_norm" in told(result, "bad")
    assert len(result.images) == 1


def test_those_that_cannot_be_loaded_cost_nothing_but_themselves(
    run: Callable[..., GenerationResult], plain: Image.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    def bad(folder: Path) -> None:
        toy(folder, "broken", "def (")
        toy(folder, "needy", "import not_there")
        toy(folder, "drawing", "import gradio")
        toy(folder, "older", "", hooks=0)
        toy(folder, "patching", "import torch\ndef mine(self, x):\n    return x\ntorch.nn.Linear.forward = mine")
        member(folder, "loud", "@hookimpl\ndef pre_step(self):\n    print('hello from a step')", "print('hello')")

    result = run(bad)
    assert same(result, plain)
    assert "Toy: X" in result.images[0].infotext
    assert "hello from a step" in capfd.readouterr().out
    for name in ("broken", "needy", "drawing", "older", "patching"):
        with pytest.raises(BadRequestError, match=f"extensions.{name}: cannot be used: .+"):
            run(bad, request=REQUEST.with_(extensions={name: {}}))


def test_a_join_that_raises_fails_the_job_by_name(run: Callable[..., GenerationResult]) -> None:
    code = "@hookimpl\ndef join_job(job):\n    raise RuntimeError('no')"
    with pytest.raises(WebuiError, match="extension bad, join_job: RuntimeError: no"):
        run(lambda folder: toy(folder, "bad", code))


def test_wrong_options_are_refused_by_their_place(run: Callable[..., GenerationResult]) -> None:
    with pytest.raises(BadRequestError, match=r"extensions\.good\.strength: .*less than or equal to 1"):
        run(request=REQUEST.with_(extensions={"good": {"strength": 2}}))


def test_time_is_measured_by_extension_and_hook(run: Callable[..., GenerationResult]) -> None:
    result = run(
        lambda folder: member(folder, "slow", "@hookimpl\ndef pre_step(self):\n    import time; time.sleep(0.02)")
    )
    assert result.timings["slow: pre_step"] >= 4 * 0.02
    assert "good: image_fields" in result.timings


def test_extra_images_and_notices_come_with_the_result(run: Callable[..., GenerationResult]) -> None:
    def shows(folder: Path) -> None:
        code = """
        from PIL import Image
        class Member:
            def __init__(self, job):
                job.notice("look")
            @hookimpl
            def extra_images(self):
                return [Image.new("RGB", (4, 4))]
        @hookimpl
        def join_job(job):
            return Member(job)
        """
        toy(folder, "shows", code)

    result = run(shows)
    assert [image.size for image in result.extras] == [(4, 4)]
    assert told(result, "shows") == "look"
