"""A process in which an extension is loaded, joins a job and has each of its hooks called once, on empty values."""

from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image

from webui.domain.planned_image import PlannedImage
from webui.domain.request import GenerationRequest
from webui.domain.settings import BackSettings
from webui.plugins.calling import Calls
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.whereabouts import Whereabouts
from webui.prompt.conditioning import Conditioning, PromptTexts
from webui.sampling.steps import Place, RunStart

TENSOR = torch.zeros(1, 4, 2, 2)


def main(factory: str, settings: BackSettings, connection: object) -> None:
    """Give an extension every opportunity to end or to stop this process; returns where it does not."""
    calls = Calls(Whereabouts.of(settings.whereabouts_file))
    nothing: Any = None
    host = ExtensionHost(
        load_all(settings.extensions_dir, calls=calls), nothing, torch.device("cpu"), torch.float32, calls
    )
    hooks = host.join(GenerationRequest())
    hooks.edit_request(GenerationRequest())
    hooks.plan_images(GenerationRequest(), (PlannedImage("", "", 0, 0),))
    hooks.edit_image_request(GenerationRequest(), 0)
    hooks.use_networks(())
    hooks.embeddings()
    model: Any = SimpleNamespace()
    hooks.patches(model)
    hooks.edit_conditioning(Conditioning((), ()), PromptTexts((), (), lambda prompts, negatives: nothing))
    step: Any = SimpleNamespace()
    hooks.edit_noise(Place(), TENSOR, RunStart(None, lambda steps: TENSOR, lambda *asked: TENSOR))
    hooks.pre_step(step, TENSOR)
    call: Any = SimpleNamespace(sample=TENSOR)
    hooks.unet_residuals(call)
    hooks.unet_attention(call)
    hooks.call_network(call, lambda call: TENSOR)
    hooks.edit_denoised(step, TENSOR, TENSOR, TENSOR, TENSOR, lambda latents, positive: latents)
    hooks.post_step(step, TENSOR, TENSOR)
    hooks.edit_pixels(TENSOR[0, :3], 0)
    hooks.edit_image(Image.new("RGB", (2, 2)), 0)
    hooks.fields(0)
    hooks.file_words(0)
    hooks.extra_images()
    hooks.ended("")
