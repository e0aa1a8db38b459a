"""Pictures that show what the networks in training draw: DDIM (Song et al., arXiv:2010.02502, equation 12, eta 0)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from PIL import Image
from torch import Tensor

from webui.extension_api.tensors import LoadedModel, alphas_cumprod

from .buckets import Bucket, Fit
from .encoded_texts import Text, size_vector, together
from .objective import chance
from .options import TrainOptions


@torch.no_grad()
def samples(
    model: LoadedModel,
    options: TrainOptions,
    encode: Callable[[Sequence[str]], list[Text]],
    size: Bucket,
    stopped: Callable[[], bool],
) -> Iterator[tuple[int, Image.Image]]:
    """Draw each prompt with the networks as they are now; the same noise each time. Ends early where it is stopped."""
    for number, prompt in enumerate(options.prompts):
        latents = _drawn(model, options, encode([prompt, ""]), size, number, stopped)
        if latents is None:
            return
        pixels = (model.vae.decode(latents)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        yield number, Image.fromarray(pixels)


def _drawn(
    model: LoadedModel,
    options: TrainOptions,
    texts: Sequence[Text],
    size: Bucket,
    number: int,
    stopped: Callable[[], bool],
) -> Tensor | None:
    unet, alphas = model.unet.module, alphas_cumprod(model.spec)
    device = unet.conv_in.weight.device
    context, pooled = together(texts, texts[1])
    vector = None
    if pooled is not None:
        fit = Fit(size, size.width, size.height, 0, 0)
        vector = size_vector(model, pooled, [((size.width, size.height), fit)] * 2).to(device, model.dtype)
    shape = model.spec.latents.shape(size.width, size.height)
    latents = torch.randn((1, *shape), generator=chance(options.seed, number, "sample")).to(device)
    times = torch.linspace(len(alphas) - 1, 0, options.sample_steps + 1).round().long()
    for time, following in pairwise(times):
        if stopped():
            return None
        given = latents.expand(2, -1, -1, -1).to(model.dtype)
        answer = unet(
            given, time.expand(2).to(device), context.to(device, model.dtype), class_labels=vector, return_dict=False
        )[0].float()
        cond, uncond = answer.chunk(2)
        guided = uncond + options.sample_scale * (cond - uncond)
        share, after = alphas[time].to(device), alphas[following].to(device)
        if model.spec.prediction == "v":
            clean = share.sqrt() * latents - (1 - share).sqrt() * guided
            noise = share.sqrt() * guided + (1 - share).sqrt() * latents
        else:
            clean, noise = (latents - (1 - share).sqrt() * guided) / share.sqrt(), guided
        is_last = following == times[-1]
        latents = clean if is_last else after.sqrt() * clean + (1 - after).sqrt() * noise
    return latents
