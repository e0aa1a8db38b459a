"""One more family, by one folder and one row: it goes through the whole pipeline, and no room had to be told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.families.flow.member import FLOW
from tests.families.flow.torch_half import FlowMatching, checkpoint, share
from tests.library.small import small_checkpoint, small_vae
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import BadRequestError, UnusableFileError
from webui.domain.hires import Hires
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Img2Img, Refiner, Txt2Img
from webui.domain.result import GeneratedImage, Progress
from webui.domain.settings import BackSettings
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Event, Failed, Finished, ImageMade
from webui.library.library import ModelLibrary
from webui.output.parse import parse, to_request
from webui.processing.back import Back, build
from webui.processing.decode import to_image
from webui.processing.start import to_pixels
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model, load_vae
from webui.weights.vae import VaeWrapper

WITH_FLOW = (*FAMILIES, FLOW)  # the row
CPU = torch.device("cpu")
CONSTANT = torch.linspace(-2, 2, 16)
REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="constant", sampler="Euler", steps=6, seed=5, width=64, height=48, cfg_scale=5
)
EXACT = [name for name, info in SAMPLERS.items() if info.space == "sigma" and not info.own_steps]
KEEPER = '''
    import torch
    from webui.extension_api import hookimpl

    class Keeper:
        """Writes the latents of the last step of each run."""

        def __init__(self):
            self.runs = 0

        @hookimpl
        def post_step(self, step, latents, denoised):
            if step.is_last:
                torch.save(latents, f"{FOLDER}/{self.runs}.pt")
                self.runs += 1

    @hookimpl
    def join_job(job):
        return Keeper()
'''
INTRUDER = """
    from webui.extension_api import Options, hookimpl
    from webui.extension_api.tensors import Residuals

    class Asked(Options):
        pass

    class Intruder:
        @hookimpl
        def unet_residuals(self, call):
            assert call.takes == frozenset()
            return Residuals(mid=call.sample[:, :1])

    @hookimpl
    def request_options():
        return Asked

    @hookimpl
    def join_job(job):
        return Intruder() if job.options else None
"""


@dataclass
class Recorder:
    seen: list[Progress] = field(default_factory=list)
    images: list[GeneratedImage] = field(default_factory=list)

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def image(self, image: GeneratedImage) -> None:
        self.images.append(image)

    def stopped(self) -> str:
        return ""

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return False


@dataclass
class World:
    """A back with the family's checkpoints, and the latents that its runs ended with."""

    back: Back
    library: ModelLibrary
    vae: VaeWrapper
    kept: Path

    def make(self, request: GenerationRequest) -> tuple[list[GeneratedImage], list[Tensor]]:
        for old in self.kept.iterdir():
            old.unlink()
        recorder = Recorder()
        self.back.run(request, recorder)
        return recorder.images, [torch.load(path) for path in sorted(self.kept.iterdir())]

    def picture_of(self, latent: Tensor) -> np.ndarray:
        """(C, h, w) as it is decoded."""
        return pixels(to_image(self.vae.decode(latent[None])[0]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("flow")
    folder = root / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    vae = small_vae(levels=4, latent_channels=16)
    for name, gate in (("constant", 0.0), ("painter", 3.0)):
        save_file(checkpoint(CONSTANT, gate, vae), folder / f"{name}.safetensors")
    save_file(small_checkpoint(3, complete=True), folder / "plain.safetensors")
    kept = root / "kept"
    kept.mkdir()
    for name, text in (("keeper", f"\nFOLDER = {str(kept)!r}\n{dedent(KEEPER)}"), ("intruder", dedent(INTRUDER))):
        extension = root / "extensions" / name
        extension.mkdir(parents=True)
        (extension / "plugin.py").write_text(text)
        about = f'name = "{name}"\nversion = "1"\ndescription = "of a test"\nhooks = 2\n'
        (extension / "extension.toml").write_text(about)
    config = BackSettings(
        models_dir=root / "models",
        data_dir=root,
        extensions_dir=root / "extensions",
        device="cpu",
        precision="fp32",
        threads=1,
        preview_every=2,
    )
    library = ModelLibrary(root / "models", root / "cache", WITH_FLOW)
    file = library.checkpoint("constant")
    door = load_vae(library, file, None, library.spec(file), CPU, torch.float32)
    return World(build(config, WITH_FLOW), library, door, kept)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def constant(width: int = 64, height: int = 48) -> Tensor:
    return CONSTANT[:, None, None].expand(16, height // 8, width // 8)


def start_picture(width: int = 64, height: int = 48) -> Picture:
    rows = np.linspace(0, 255, height)[:, None, None]
    columns = np.linspace(0, 255, width)[None, :, None]
    return Picture.of(Image.fromarray((0.5 * rows + 0.5 * columns * [1, 0.5, 0.2]).astype(np.uint8)))


def assert_constant(
    latents: Sequence[Tensor], count: int, width: int = 64, height: int = 48, *, atol: float = 2e-3
) -> None:
    for batch in latents:
        assert batch.shape == (count, 16, height // 8, width // 8)
        torch.testing.assert_close(batch, constant(width, height).expand_as(batch), atol=atol, rtol=0)


def test_the_row_makes_it_known(world: World) -> None:
    assert world.library.spec(world.library.checkpoint("constant")).family is FLOW
    assert world.library.spec(world.library.checkpoint("plain")).family.name == "sd1"
    without = ModelLibrary(world.library.models_dir, world.kept.parent / "other", FAMILIES)
    with pytest.raises(UnusableFileError, match="not a checkpoint"):
        without.checkpoint("constant")


@pytest.mark.parametrize("level", [0.01, 0.7, 3.0, 500.0])
def test_the_network_sees_a_straight_line_between_clean_and_noise(level: float) -> None:
    torch.manual_seed(0)
    clean, noise, sigma = torch.randn(1, 16, 2, 2), torch.randn(1, 16, 2, 2), torch.tensor(level)
    flow, s = FlowMatching(), share(torch.tensor(level))
    noised = flow.noised(clean, noise, sigma)
    torch.testing.assert_close(noised / flow.spread(sigma), (1 - s) * clean + s * noise, atol=1e-4, rtol=1e-4)
    there = flow.clean(noise - clean, noised, sigma, flow.timestep(sigma))
    torch.testing.assert_close(there, clean, atol=1e-3, rtol=1e-3)
    back = flow.of_output(flow.output(clean, noised, sigma), noised, sigma)
    torch.testing.assert_close(back, clean, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sampler", EXACT)
def test_every_sampler_of_noise_levels_ends_at_a_constant_estimate(world: World, sampler: str) -> None:
    images, latents = world.make(REQUEST.with_(sampler=sampler, batch_size=2))
    assert_constant(latents, 2, atol=3e-2)  # some add up many terms that began at a level of 9999, in float32
    for position, made in enumerate(images):
        assert abs(pixels(made.image) - world.picture_of(latents[0][position])).max() <= 1


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M"])
def test_txt2img_is_exact_for_a_constant_estimate(world: World, sampler: str) -> None:
    images, latents = world.make(REQUEST.with_(sampler=sampler, batch_size=2))
    assert_constant(latents, 2)
    expected = world.picture_of(constant())
    for made in images:
        assert abs(pixels(made.image) - expected).max() <= 1
    assert abs(expected - world.picture_of(torch.zeros(16, 6, 8))).mean() > 5  # such a picture tells of its latents


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M"])
def test_img2img_ends_at_a_constant_estimate(world: World, sampler: str) -> None:
    task = Img2Img(image=start_picture(), denoising_strength=0.6)
    images, latents = world.make(REQUEST.with_(sampler=sampler, task=task, batch_size=2))
    assert_constant(latents, 2)
    assert abs(pixels(images[0].image) - world.picture_of(constant())).max() <= 1


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M"])
def test_inpainting_changes_what_is_painted_and_nothing_else(world: World, sampler: str) -> None:
    painted = Image.new("L", (64, 48))
    painted.paste(255, (32, 0, 64, 48))
    inside = Inpainting(mask=Mask.of(painted), mask_blur_x=0, mask_blur_y=0, content="original")
    picture = start_picture()
    task = Img2Img(image=picture, denoising_strength=1, inpainting=inside)
    images, (latents,) = world.make(REQUEST.with_(sampler=sampler, task=task))
    before = world.vae.encode(to_pixels(picture.open(), CPU))
    torch.testing.assert_close(latents[:, :, :, 4:], constant()[None, :, :, 4:], atol=2e-3, rtol=0)
    torch.testing.assert_close(latents[:, :, :, :4], before[:, :, :, :4], atol=2e-3, rtol=0)
    assert np.array_equal(pixels(images[0].image)[:, :28], pixels(picture.open())[:, :28])


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos"])
@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M"])
def test_hires_fix_ends_at_a_constant_estimate(world: World, sampler: str, upscaler: str) -> None:
    task = Txt2Img(hires=Hires(enabled=True, upscaler=upscaler, resize_width=96, resize_height=96))
    images, latents = world.make(REQUEST.with_(sampler=sampler, task=task, batch_size=2))
    assert_constant(latents[:1], 2)
    assert_constant(latents[1:], 2, 96, 96)
    assert images[0].image.size == (96, 96)
    assert abs(pixels(images[0].image) - world.picture_of(constant(96, 96))).max() <= 1


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M", "Euler a", "DPM++ SDE"])
def test_a_batch_is_its_singles(world: World, sampler: str) -> None:
    request = REQUEST.with_(checkpoint="painter", sampler=sampler, batch_size=2)
    both, (latents,) = world.make(request)
    alone = [world.make(made.request) for made in both]
    for index, (images, (single,)) in enumerate(alone):
        torch.testing.assert_close(single[0], latents[index], atol=1e-3, rtol=1e-3)
        assert abs(pixels(images[0].image) - pixels(both[index].image)).max() <= 2
    assert abs(latents[0] - latents[1]).mean() > 0.1  # the seeds differ


def test_the_text_counts(world: World) -> None:
    request = REQUEST.with_(checkpoint="painter")
    _, (first,) = world.make(request)
    _, (second,) = world.make(request.with_(prompt="a blue dog"))
    assert abs(first - second).mean() > 0.01


def test_text_is_cut_to_the_window(world: World) -> None:
    from webui.domain.request import SDXL, PromptRules
    from webui.prompt.encode import PromptEncoder
    from webui.prompt.tokenize import ClipTokenizer

    model = load_model(world.library, world.library.checkpoint("painter"), None, CPU, torch.float32)
    encoder = PromptEncoder(model.text, ClipTokenizer())
    size, rules = (64, 48), PromptRules()
    text = encoder.encode(["cat " * 30], [""], calls=1, rules=rules, clip_skip=1, size=size, sdxl=SDXL())
    (part,) = text.positive[0]
    assert part.spans[0].context.shape == (2 * 24, 32)
    assert text.negative[0][0].context.shape == (24, 32)
    assert part.spans[0].vector is None


def test_automatic_means_the_familys_schedule_and_the_infotext_says_so(world: World) -> None:
    images, (latents,) = world.make(REQUEST.with_(checkpoint="painter", sampler="DPM++ 2M"))
    (made,) = images
    assert made.request.scheduler == "Simple"
    assert "Schedule type: Simple" in made.infotext
    pasted = to_request(parse(made.infotext))
    _, (again,) = world.make(pasted)
    torch.testing.assert_close(again, latents)


def test_the_inline_executor_runs_it_with_previews(world: World) -> None:
    events: list[Event] = []
    InlineExecutor(world.back, events.append).submit("1", REQUEST)
    assert [one for one in events if isinstance(one, Failed)] == []
    assert len([one for one in events if isinstance(one, ImageMade)]) == 1
    assert isinstance(events[-1], Finished)
    recorder = Recorder()
    world.back.run(REQUEST, recorder)
    previews = [one.preview for one in recorder.seen if one.preview]
    assert len(previews) == 3
    assert all(one.startswith(b"\xff\xd8") for one in previews)


def test_what_the_family_cannot_do_is_refused_by_name(world: World) -> None:
    refused = (
        (REQUEST.with_(sampler="DDIM"), "sampler"),
        (REQUEST.with_(width=72), "width"),
        (REQUEST.with_(scheduler="Align Your Steps"), "scheduler"),
        (REQUEST.with_(refiner=Refiner(checkpoint="plain", switch_at=0.5)), "refiner.checkpoint"),
        (REQUEST.with_(task=Txt2Img(hires=Hires(enabled=True, checkpoint="plain"))), "task.hires.upscaler"),
        (REQUEST.with_(task=Txt2Img(hires=Hires(enabled=True, sampler="DDIM"))), "task.hires.sampler"),
        (REQUEST.with_(task=Txt2Img(hires=Hires(enabled=True, scale=1.25))), "task.hires"),
    )
    for request, name in refused:
        with pytest.raises(BadRequestError) as raised:
            world.make(request)
        assert raised.value.field == name, str(raised.value)


def test_another_familys_vae_is_refused(world: World, tmp_path: Path) -> None:
    folder = world.library.models_dir / "VAE"
    folder.mkdir(exist_ok=True)
    save_file(small_vae(levels=4), folder / "four.safetensors")
    world.library.refresh()
    file, spec = world.library.vae("four", world.library.checkpoint("constant")), FLOW
    assert file is not None
    with pytest.raises(UnusableFileError, match=r"four.*4 channels.*flow have 16"):
        load_vae(
            world.library, world.library.checkpoint("constant"), file,
            world.library.spec(world.library.checkpoint("constant")), CPU, torch.float32,
        )  # fmt: skip
    assert spec.latents.channels == 16


def test_a_second_pass_may_be_of_another_family(world: World) -> None:
    hires = Hires(enabled=True, checkpoint="constant", upscaler="Lanczos", scale=1.5, denoising_strength=0.6)
    request = REQUEST.with_(checkpoint="plain", width=64, height=64, task=Txt2Img(hires=hires))
    images, (first, second) = world.make(request)
    assert first.shape[1] == 4
    assert_constant([second], 1, 96, 96)
    assert abs(pixels(images[0].image) - world.picture_of(constant(96, 96))).max() <= 1


def test_residuals_that_its_network_does_not_take_are_left_out_with_a_word(world: World) -> None:
    recorder = Recorder()
    result = world.back.run(REQUEST.with_(extensions={"intruder": {}}), recorder)
    assert len(recorder.images) == 1
    assert any("residuals (mid)" in notice.text for notice in result.notices), result.notices


def test_a_checkpoint_without_unet_says_so_to_who_wants_one(world: World) -> None:
    model = load_model(world.library, world.library.checkpoint("painter"), None, CPU, torch.float32)
    with pytest.raises(UnusableFileError, match="flow has no UNet"):
        _ = model.unet
    with pytest.raises(UnusableFileError, match="flow has no UNet"):
        _ = model.spec.unet
    assert load_file(model.file.path)["flow.network.gate"] == 3
