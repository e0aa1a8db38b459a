"""The hooks: when each is called, what may be returned. The docstring is the contract; `docs/hooks.md` is made of it.

`None` always means "no". A hook returns new values and changes nothing it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webui.extension_api.markers import hookspec

if TYPE_CHECKING:  # the specs are read without torch
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from PIL import Image
    from torch import Tensor

    from webui.domain.dialect import Dialect
    from webui.domain.planned_image import PlannedImage
    from webui.domain.request import GenerationRequest
    from webui.extension_api.action import Action
    from webui.extension_api.frames import Frame
    from webui.extension_api.job_context import JobContext
    from webui.extension_api.options import Options
    from webui.extension_api.picture_tools import PictureTool
    from webui.extension_api.sampler import Sampler
    from webui.extension_api.script import Script
    from webui.prompt.composition import NetworkTag
    from webui.prompt.conditioning import Conditioning, PromptTexts
    from webui.prompt.embeddings import Embedding
    from webui.sampling.attending import TakePart
    from webui.sampling.steps import ModelCall, Place, Residuals, RunStart, Step
    from webui.weights.model import LoadedModel


class AppSpec:
    """Functions in an extension's `plugin.py`."""

    @hookspec
    def request_options(self) -> type[Options] | None:
        """At start. Return the model of the options that a request may carry under this extension's name, or None.

        The form on the page, the API's schema and the check of every request follow from it.
        """

    @hookspec
    def dialect(self) -> Dialect | None:
        """At start. Return what A1111's words mean as options of this extension, or None: the keys of infotexts that it
        writes and reads, the fields and settings of A1111's API that it honours, and further names of its scripts.

        It is data alone: the page and the API read it without running the extension's code. A declaration that names an
        option that does not exist is set aside with a notice, and the extension works without it.
        """

    @hookspec
    def actions(self) -> list[Action] | None:
        """At start. Return the actions that can be started beside making pictures, or None. Each gets a form, a job and
        a route."""

    @hookspec
    def scripts(self) -> list[Script] | None:
        """At start. Return the scripts that can be chosen for a request, or None. Each makes many requests of one:
        known beforehand, with their places in a plot, or one after another of what was made. The page, `script_name` of
        the API, the queue, the history and a restart treat them as the program's own.
        """

    @hookspec
    def settings_options(self) -> type[Options] | None:
        """At start. Return the model of settings that last, or None. Each of them needs a usual value.

        The user sets them in the list of extensions, programs by `POST /api/extensions/NAME/settings`; they are kept in
        the data folder and are found as `job.settings` and `context.settings`. They are not part of a request: what
        decides about pixels belongs into `request_options`, where pictures carry it.
        """

    @hookspec
    def frames(self) -> list[Frame] | None:
        """At start. Return what the extension draws on the page itself, or None. Each frame gets a tab.

        Its script runs in a frame with an origin of its own and without a network, and speaks with the page by a few
        messages. It may ask the extension's own light actions.
        """

    @hookspec
    def picture_tools(self) -> list[PictureTool] | None:
        """At start. Return what is added to lists of others, or None: preprocessors of ControlNet, detectors of the
        detailer, upscalers.

        A name that the program or an extension before has already is left to that one. Others use them by `job.tools`
        and `context.tools`.
        """

    @hookspec
    def samplers(self) -> list[Sampler] | None:
        """At start. Return samplers that are listed behind the program's own, or None.

        The page, the API, X/Y/Z plots and infotexts name them as any other. A name that an extension before has already
        is left to that one. What one raises, and latents of another shape or with NaN that the network did not give,
        end the job with the names of extension and sampler.
        """

    @hookspec
    def join_job(self, job: JobContext) -> object | None:
        """A job starts, before any work. Return an object with job hooks, or None to stay out of this job.

        Called for every job, also where the request does not name the extension (`job.options` is then None), so look
        quickly. An error fails the job with the extension's name; if the next job fails of it too and its request does
        not name the extension, that job goes on without it. `job.model` tells what the checkpoint is (family,
        prediction, channels, cell); it is known from `use_networks` on and raises before.
        """


class JobSpec:
    """Methods of the object that joins a job. Extensions are called in the order of their names.

    `step.place` says where in its job a step stands: `batch`, `hires` (the second pass of hires fix), `stage` (`base`,
    or `refiner` once that has taken over), `call` and `call_in_step` (the calls that the run of the sampler made
    before, and how many of them in this step). Of a call it is `call.place`.

    A hook that makes no progress for the setting `hook_deadline` (120 s; 0: no limit) counts as hanging, and the worker
    is replaced. Each `job.stopped()`, each `job.notice(...)` and each tensor that `job.models.load` reads is progress.
    An extension in whose code the worker ended or hung twice is set aside until the user switches it on again.

    In `edit_request`, `edit_pixels`, `edit_image` and `extra_images` an extension may have other pictures made, by
    `job.generate(request)`.
    """

    @hookspec
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Before planning. Return a changed request, or None. An error fails the job: no work is lost yet.

        Styles are merged into the prompts; tags such as `<lora:name:1>` still stand in them. Where several devices make
        one job, this hook, `plan_images` and `edit_image_request` are called on each, and what is returned on the first
        counts for all. What an extension keeps for later hooks should follow from `request.seed`, not from chance.
        """

    @hookspec
    def plan_images(self, request: GenerationRequest, images: Sequence[PlannedImage]) -> Sequence[PlannedImage] | None:
        """Before the work, once: the images that the job would make, in order. Return others, also more or fewer, with
        prompts and seeds of their own, or None. An error fails the job.

        They are made in batches of the request's `batch_size`, the last of which may be smaller. `request` has its seed
        drawn. Of several extensions each is given what the one before it planned.
        """

    @hookspec
    def edit_image_request(self, request: GenerationRequest, index: int) -> GenerationRequest | None:
        """Before the work, once for each image: the request that makes it alone, with its own seed; `index` counts the
        images in the job. Return it with another `prompt` or `negative_prompt`, or None. An error fails the job.

        Images of a batch whose prompts then ask for different networks (`<lora:...>`) are made one by one.
        """

    @hookspec
    def use_networks(self, networks: Sequence[NetworkTag], hires: bool) -> Collection[str] | None:
        """Before a pass is encoded: the tags `<kind:...>` of its prompt, none included. Return the kinds that this
        extension takes (`lora`), or None.

        Called for the first pass, and again where the prompt of hires fix (`hires`) or of another image names others;
        `embeddings` and `patch_model` follow each time. Tags are cut from the prompt whoever takes them; the user is
        told of those that nobody takes.
        """

    @hookspec
    def embeddings(self) -> Sequence[Embedding] | None:
        """Before encoding. Return textual inversions that hold in this pass beside those in the folder, or None."""

    @hookspec
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """Before encoding. Return a context that changes the model, or None. An error fails the job.

        The context is left whatever happens to the job, and leaves the model exactly as it was. Where it has an
        attribute `key` (hashable), it may stay applied for the next job, which then gets no second one of an equal key.
        Called for the refiner too, when it takes over.
        """

    @hookspec
    def edit_conditioning(self, conditioning: Conditioning, texts: PromptTexts) -> Conditioning | None:
        """After the prompts of a batch are encoded. Return other conditioning, or None.

        `texts` are the prompts that were encoded, and `texts.encode` encodes others for the same images, timed by the
        same steps.
        """

    @hookspec
    def edit_noise(self, place: Place, noise: Tensor, start: RunStart) -> Tensor | None:
        """Before a run of the sampler. Return other noise (B, C, h, w) to begin with, of the same shape, or None.

        It has mean 0 and deviation 1, and is the whole of the start or added to the picture's latents, which are
        `start.latents`. `start.estimate` asks the network, also with another text (see `edit_conditioning`); its own
        errors pass. `start.levels` gives noise levels to ask it at.
        """

    @hookspec
    def pre_step(self, step: Step, latents: Tensor) -> Tensor | None:
        """Before a sampler step. Return new latents (B, C, h, w) of the same shape, dtype and device, or None."""

    @hookspec
    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """Before each call of the network. Return residuals to add inside it, or None. Those of all extensions are
        summed.

        `call.takes` says which residuals this checkpoint's network can take.
        """

    @hookspec
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Before each call of the network, after `unet_residuals`. Return functions that take part in the attention of
        some of `call.layers`, by the names of the layers, or None.

        A function gets `attention`, with queries, keys and values of the rows `attention.rows` (whose they are, is in
        `call.rows`), and `attend`, which computes it as usual; it returns (rows, S, H x d) before the layer's last
        projection. It may add to `attend(attention)`, give it other keys and values (`attention.about(context)` for
        another text) or fewer rows (`attention.of`), or answer itself; `mixed()` is what the layer makes of it without
        any extension. Of several extensions the first one's `attend` is the second one.
        """

    @hookspec
    def call_network(self, call: ModelCall, network: Callable[[ModelCall], Tensor]) -> Tensor | None:
        """In place of each call of the network. Return its output (rows, C, h, w) float32, or None to have it called as
        usual.

        `network` calls it, with the residuals of all extensions, as often as you like: for parts of the latents by
        `call.within(windows)`, with other text, or with fewer rows. Its own errors pass. In `unet_residuals` the
        windows of such a call are known as `call.windows`, and `call.cut(tensor)` cuts what covers all latents.
        """

    @hookspec
    def edit_denoised(
        self,
        step: Step,
        denoised: Tensor,
        cond: Tensor,
        uncond: Tensor,
        latents: Tensor,
        ask: Callable[[Tensor, bool], Tensor],
    ) -> Tensor | None:
        """After guidance. Return another estimate (B, C, h, w) of the clean latents, or None.

        The three tensors are clean estimates with every sampler. For samplers that work on the noise (DDIM family) the
        program converts the result back. `latents` are those of the call, clean + sigma x noise with every sampler.
        `ask(latents, positive)` asks the network again at the same noise level, with the text of the prompt or of the
        negative prompt, and gives a clean estimate without guidance; its own errors pass. Hooks inside it are called
        as usual.
        """

    @hookspec
    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor | None:
        """After a sampler step. Return new latents of the same shape, dtype and device, or None."""

    @hookspec
    def edit_pixels(self, pixels: Tensor, index: int) -> Tensor | None:
        """After decoding, before the picture is rounded to 8 bits. Return other pixels of the same shape, or None.

        `pixels` is (3, H, W) float32 in 0..1, on the CPU; `index` counts the images in the job.
        """

    @hookspec
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        """After `edit_pixels`, once for each image; `index` counts them in the job. Return a new image, or None."""

    @hookspec
    def image_fields(self, index: int) -> Mapping[str, Any] | None:
        """After `edit_image`, for each image; `index` counts them in the job. Return fields of its infotext
        (`{"Lora hashes": "a: 123"}`), or None. A value that is a dict is written as JSON.
        """

    @hookspec
    def file_words(self, index: int) -> Mapping[str, str] | None:
        """After `image_fields`, for each image. Return words for the pattern of its file's name, or None:
        `{"style": "ink"}` stands for `[style]`.

        Names are of a-z, 0-9 and _. Tokens that the program has itself keep their meaning; what file systems do not
        take is replaced.
        """

    @hookspec
    def job_ended(self, error: str) -> None:
        """At the end of the job, whatever became of it: `error` is "" or says why it failed or was stopped.

        Nothing can be changed any more. It is the place to close files and to let go of memory.
        """

    @hookspec
    def extra_images(self) -> Sequence[Image.Image] | None:
        """At the end of the job. Return pictures that are shown after the made ones (a detected map), or None."""
