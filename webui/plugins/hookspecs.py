"""The hooks of a job: when each is called and what may be returned. The docstring is the contract.

`None` always means "no". A hook returns new values and changes nothing it was given.
"""

from contextlib import AbstractContextManager
from typing import Any

import pluggy
from PIL import Image
from torch import Tensor, nn

from webui.domain.request import GenerationRequest
from webui.prompt.conditioning import Conditioning
from webui.sampling.steps import ModelCall, Residuals, Step

PROJECT = "webui"
HOOKS_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class JobSpec:
    """Methods of the object that joins a job. Extensions are called in the order they joined."""

    @hookspec
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Before planning. Return a changed request, or None. An error fails the job: no work is lost yet."""

    @hookspec
    def patch_model(self, unet: nn.Module) -> AbstractContextManager[Any] | None:
        """Before encoding. Return a context that changes the network; it is left whatever happens to the job."""

    @hookspec
    def edit_conditioning(self, conditioning: Conditioning) -> Conditioning | None:
        """After the prompts of a batch are encoded. Return other conditioning, or None."""

    @hookspec
    def pre_step(self, step: Step, latents: Tensor) -> Tensor | None:
        """Before a sampler step. Return new latents (B, 4, h, w) of the same shape, dtype and device, or None."""

    @hookspec
    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """Before each call of the network. What all extensions return is summed and added inside it."""

    @hookspec
    def edit_denoised(self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor | None:
        """After guidance. Return another estimate (B, 4, h, w) of the clean latents, or None.

        In timestep samplers (DDIM family) the three tensors are epsilon, as the network predicts it.
        """

    @hookspec
    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor | None:
        """After a sampler step. Return new latents of the same shape, dtype and device, or None."""

    @hookspec
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        """After decoding, once for each image. Return a new image, or None."""
