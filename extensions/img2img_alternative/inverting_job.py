"""The hooks of a job that begins with the noise of its picture."""

from collections.abc import Mapping

import torch
from torch import Tensor

from webui.extension_api import Cancelled, GenerationRequest, Img2Img, JobContext, hookimpl
from webui.extension_api.tensors import Conditioning, PromptTexts, RunStart, Step

from .found_noise import as_noise, mixed, noised_up
from .options import AlternativeOptions


class InvertingJob:
    """Finds the noise before each run, and hands it to the sampler."""

    def __init__(self, job: JobContext, options: AlternativeOptions) -> None:
        self._job = job
        self._options = options
        self._text: Conditioning | None = None
        self._found: tuple[Tensor, Tensor] | None = None  # the latents of the last run, and their noise

    @property
    def _acts(self) -> bool:
        return isinstance(self._job.request.task, Img2Img)

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Without a factor on the noise, which A1111's script does not apply either."""
        if not isinstance(request.task, Img2Img):
            self._job.notice("there is no picture whose noise could be found: this acts on img2img alone")
            return None
        return request.with_(task=request.task.model_copy(update={"noise_multiplier": 1.0}))

    @hookimpl
    def use_networks(self) -> None:
        """Another network finds another noise."""
        self._found = None

    @hookimpl
    def edit_conditioning(self, texts: PromptTexts) -> None:
        """Encode what the picture shows, for each image of the batch."""
        if self._acts:
            options, count = self._options, len(texts.prompts)
            self._text = texts.encode([options.original_prompt] * count, [options.original_negative_prompt] * count)

    @hookimpl
    def edit_noise(self, noise: Tensor, start: RunStart) -> Tensor | None:
        """The noise that leads to the picture, mixed with that of the seed.

        The picture's latents, to which the sampler adds the noise, are taken off, so that the run begins with the
        noise alone.
        """
        if not self._acts or start.latents is None or self._text is None:
            return None
        made = mixed(self._noise_of(start.latents, self._text, start), noise, self._options.randomness)
        return (made - start.latents / start.levels(1)[0]).to(noise)

    def _noise_of(self, latents: Tensor, text: Conditioning, start: RunStart) -> Tensor:
        if self._found is not None and torch.equal(self._found[0], latents):
            return self._found[1]
        options = self._options

        def denoise(step: Step, noisy: Tensor) -> Tensor:
            if self._job.stopped():
                raise Cancelled("stopped by the user")
            return start.estimate(step, noisy, text, options.decode_cfg_scale)

        levels, adjusted = start.levels(options.decode_steps), options.sigma_adjustment
        found = as_noise(noised_up(latents, levels, denoise, adjusted=adjusted), levels, adjusted=adjusted)
        self._found = latents, found
        return found

    @hookimpl
    def image_fields(self) -> Mapping[str, str] | None:
        """What was done, in A1111's words."""
        options = self._options
        if not self._acts:
            return None
        return {
            "Decode prompt": options.original_prompt,
            "Decode negative prompt": options.original_negative_prompt,
            "Decode CFG scale": str(options.decode_cfg_scale),
            "Decode steps": str(options.decode_steps),
            "Randomness": str(options.randomness),
            "Sigma Adjustment": str(options.sigma_adjustment),
        }
