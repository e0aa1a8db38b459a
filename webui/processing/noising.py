"""Noise is added to a picture and the network asked what was added, as in training (Ho et al., arXiv:2006.11239,
algorithm 1), at levels over the whole table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from webui.domain.errors import Cancelled
from webui.domain.noised_picture import LEVELS, NoisedPicture
from webui.domain.request import GenerationRequest, Guidance
from webui.plugins.jobhooks import JobHooks
from webui.processing.decode import decode
from webui.processing.plan import make_plan
from webui.processing.sample import image_noise
from webui.processing.stages import Stages
from webui.processing.start import start_of
from webui.processing.texts import Texts
from webui.sampling.colours import latent_colours
from webui.sampling.lone_estimates import estimates
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import Place, Step
from webui.weights.families.contract import networks_of
from webui.weights.model import LoadedModel

COLUMNS = LEVELS // 2  # of the atlas: two rows for each kind of picture
LARGEST_TILE = 256  # pixels of its longer side
DECODED_AREA = 256 * 256  # pixels up to which the VAE decodes all levels; larger pictures get approximate colours
KINDS = 3  # noised, predicted, clean


@dataclass(frozen=True, slots=True)
class Answer:
    """One level: latents (1, C, h, w) and the loss."""

    timestep: float
    sigma: float
    noised: Tensor
    predicted: Tensor
    clean: Tensor
    loss: float


@dataclass(frozen=True, slots=True)
class Noising:
    """The question: a picture, its noise, and whom to ask.

    Attributes:
        latents, noise: (1, C, h, w), clean and unit noise.
    """

    latents: Tensor
    noise: Tensor
    table: SigmaTable
    ask: Callable[[Step, Tensor], Tensor]

    @classmethod
    def of(cls, request: GenerationRequest, model: LoadedModel, texts: Texts) -> "Noising":
        """Encode the picture of an img2img request, draw the noise of its seed and encode its prompt.

        Raises:
            BadRequestError: the picture cannot be used.
        """
        plan = make_plan(request)
        batch = plan.batches[0]
        start = start_of(plan, model)
        if start is None:
            raise ValueError("the request starts from no picture")
        table = networks_of(model.spec.family).levels(model.spec, request.schedule)
        text = texts.encode(plan, batch, model)
        stages = Stages(
            plan, model, table, None, lambda stage: model, lambda model: text, lambda model: start.image_channels(model)
        )
        estimate = estimates(stages.at, table, JobHooks(), Place(0), Guidance())
        noise = image_noise(request, batch, model.latents, model.device).first()
        return cls(start.latents.to(noise), noise, table, lambda step, latents: estimate(step, latents, text, 1.0))

    def answers(self) -> Iterator[Answer]:
        """What the network says at each level, from the lowest to the highest."""
        timesteps = torch.linspace(self.table.offset, self.table.last_timestep, LEVELS).round()
        for index, (timestep, sigma) in enumerate(zip(timesteps, self.table.sigma(timesteps), strict=True)):
            noised = self.latents + sigma * self.noise
            clean = self.ask(Step(index, LEVELS, sigma, torch.zeros(())), noised)
            predicted = (noised - clean) / sigma
            loss = float((predicted - self.noise).float().square().mean())
            yield Answer(float(timestep), float(sigma), noised / (1 + sigma**2).sqrt(), predicted, clean, loss)


def noised_picture(
    request: GenerationRequest,
    model: LoadedModel,
    texts: Texts,
    tell: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> NoisedPicture:
    """Ask the network at all levels, and draw what it says.

    Args:
        tell: how many levels are done, of how many.

    Raises:
        Cancelled: it was stopped.
    """
    noising = Noising.of(request, model, texts)
    is_decoded = request.width * request.height <= DECODED_AREA
    scale = min(1.0, LARGEST_TILE / max(request.width, request.height))
    width, height = round(request.width * scale), round(request.height * scale)

    def picture(latents: Tensor, *, smooth: bool) -> Image.Image:
        if smooth and is_decoded:
            return decode(latents, model, tiled=False)[0].resize((width, height), Image.Resampling.LANCZOS)
        how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
        return Image.fromarray(latent_colours(latents[0], model.latents).numpy()).resize((width, height), how)

    rows = LEVELS // COLUMNS
    atlas = Image.new("RGB", (COLUMNS * width, (1 + KINDS * rows) * height))
    atlas.paste(picture(noising.noise, smooth=False), (0, 0))
    told: list[tuple[float, float, float]] = []
    for index, answer in enumerate(noising.answers()):
        if stopped():
            raise Cancelled("stopped by the user")
        shown = ((answer.noised, True), (answer.predicted, False), (answer.clean, True))
        for kind, (latents, smooth) in enumerate(shown):
            place = (index % COLUMNS * width, (1 + kind * rows + index // COLUMNS) * height)
            atlas.paste(picture(latents, smooth=smooth), place)
        told.append((answer.timestep, answer.sigma, answer.loss))
        tell(index + 1, LEVELS)
    timesteps, sigmas, losses = zip(*told, strict=True)
    return NoisedPicture(atlas, COLUMNS, (width, height), timesteps, sigmas, losses, is_decoded)
