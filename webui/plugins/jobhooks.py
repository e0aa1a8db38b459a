"""Calling the hooks of one job, one extension at a time, so that one failure stays one.

A fault before the work (edit_request, patch_model) fails the job; a fault during it drops that extension for the rest
of the job and leaves a notice, and the image is kept. What is meant to end a program (SystemExit, KeyboardInterrupt)
drops it wherever it comes from, and so does a fault before the work of one that nobody asked for and that has failed
the job before this one too: see `EarlyFaults`.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pluggy
from PIL import Image
from torch import Tensor

from webui.domain.errors import Cancelled, MemoryShortError
from webui.domain.planned_image import PlannedImage
from webui.domain.request import GenerationRequest
from webui.extension_api.job_context import ModelTraits
from webui.plugins.answers import (
    as_file_words,
    as_images,
    check_conditioning,
    check_context,
    check_output,
    check_residuals,
    check_tensor,
    copied,
    is_a,
    only_prompts,
    refuse_change,
    told_value,
    versions,
)
from webui.plugins.attention_parts import AttentionParts
from webui.plugins.calling import Calls, ExtensionError, MarkedContext, said
from webui.plugins.early_faults import EarlyFaults
from webui.plugins.members import Members
from webui.plugins.network_calls import Outside
from webui.plugins.patches import Patch
from webui.prompt.composition import NetworkTag
from webui.prompt.conditioning import Conditioning, PromptTexts
from webui.prompt.embeddings import Embedding
from webui.sampling.attending import TakePart
from webui.sampling.steps import Ask, CallNetwork, ModelCall, Place, Residuals, RunStart, Step
from webui.weights.model import LoadedModel
from webui.weights.residency import Residency

T = TypeVar("T")

log = logging.getLogger(__name__)


class JobHooks(Members):
    """What the extensions of one job do. Implements `sampling.steps.StepHooks`.

    Attributes:
        model: the job's checkpoint, set once it is loaded; extensions read it as `job.model`.
        at: the hook whose code runs, "" where none does.
        timings: seconds by `extension: hook`, for each that was called.
    """

    def __init__(
        self,
        calls: Calls | None = None,
        named: Collection[str] = (),
        faults: EarlyFaults | None = None,
        residency: Residency | None = None,
    ) -> None:
        """
        Args:
            named: the extensions that the request asks for.
            faults: those of earlier jobs; None: there were none.
            residency: makes room where memory runs out in a hook; None: nothing does.
        """
        super().__init__(calls or Calls(), named, faults or EarlyFaults())
        self._residency = residency
        self._gave: list[str] = []  # residuals for the call of the network that is made now
        self._attention = AttentionParts(self, self._calls)
        self.model: ModelTraits | None = None
        self.at = ""
        self.timings: dict[str, float] = {}

    def edit_request(self, request: GenerationRequest) -> GenerationRequest:
        """Chain the requests. Faults are fatal: no work has been done."""
        for impl in self._of("edit_request"):
            try:
                new = self.call(impl, {"request": request})
                if new is not None:
                    is_a(GenerationRequest)(new, request)
                    request = new
            except Exception as error:
                self.fail_early(impl.plugin_name, "edit_request", error)
        return request

    def plan_images(self, request: GenerationRequest, images: Sequence[PlannedImage]) -> Sequence[PlannedImage]:
        """Chain the images of the job. Faults are fatal."""
        for impl in self._of("plan_images"):
            try:
                new = self.call(impl, {"request": request, "images": tuple(images)})
                if new is not None:
                    images = as_images(new)
            except Exception as error:
                self.fail_early(impl.plugin_name, "plan_images", error)
        return images

    def edit_image_request(self, request: GenerationRequest, index: int) -> GenerationRequest:
        """Chain the requests of one image, of which only the prompts may change. Faults are fatal."""
        for impl in self._of("edit_image_request"):
            try:
                new = self.call(impl, {"request": request, "index": index})
                if new is not None:
                    is_a(GenerationRequest)(new, request)
                    only_prompts(new, request)
                    request = new
            except Exception as error:
                self.fail_early(impl.plugin_name, "edit_image_request", error)
        return request

    def use_networks(self, networks: Sequence[NetworkTag], *, hires: bool = False) -> frozenset[str]:
        """Tell of a pass's tags; the kinds that extensions take. Faults are fatal."""
        return frozenset(self._collected("use_networks", str, networks=tuple(networks), hires=hires))

    def embeddings(self) -> tuple[Embedding, ...]:
        """Textual inversions that extensions bring into the job. Faults are fatal."""
        return tuple(self._collected("embeddings", Embedding))

    def patches(self, model: LoadedModel) -> tuple[Patch, ...]:
        """Every extension's patch, not entered yet. Faults are fatal."""
        found: list[Patch] = []
        for impl in self._of("patch_model"):
            try:
                with self._calls.inside(impl.plugin_name, "patch_model"):
                    context = self.call(impl, {"model": model})
                    if context is not None:
                        check_context(context)
                        marked = MarkedContext(self._calls, impl.plugin_name, "patch_model", context)
                        found.append(Patch(impl.plugin_name, marked))
            except Exception as error:
                self.fail_early(impl.plugin_name, "patch_model", error)
        return tuple(found)

    def _collected(self, hook: str, kind: type[T], **given: Any) -> list[T]:
        """What a hook that is called before the work returns, of all extensions."""
        found: list[T] = []
        for impl in self._of(hook):
            try:
                with self._calls.inside(impl.plugin_name, hook):
                    mine: tuple[T, ...] = tuple(self.call(impl, given) or ())
                for one in mine:
                    is_a(kind)(one, None)
                found += mine
            except Exception as error:
                self.fail_early(impl.plugin_name, hook, error)
        return found

    def edit_conditioning(self, conditioning: Conditioning, texts: PromptTexts) -> Conditioning:
        return self._chain("edit_conditioning", "conditioning", conditioning, check_conditioning, texts=texts)

    def edit_noise(self, place: Place, noise: Tensor, start: RunStart) -> Tensor:
        outside = Outside(start.estimate, self._calls)
        told = replace(start, estimate=outside)
        return self._chain("edit_noise", "noise", noise, check_tensor, outside, place=place, start=told)

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        return self._chain("pre_step", "latents", latents, check_tensor, step=step)

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        return self._chain("post_step", "latents", latents, check_tensor, step=step, denoised=denoised)

    @property
    def edits_denoised(self) -> bool:
        """Whether an extension edits clean estimates."""
        return bool(self._of("edit_denoised"))

    def edit_denoised(
        self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor, latents: Tensor, ask: Ask
    ) -> Tensor:
        outside = Outside(ask, self._calls)
        told = {"step": step, "cond": cond, "uncond": uncond, "latents": latents, "ask": outside}
        return self._chain("edit_denoised", "denoised", denoised, check_tensor, outside, **told)

    def edit_pixels(self, pixels: Tensor, index: int) -> Tensor:
        return self._chain("edit_pixels", "pixels", pixels, check_tensor, index=index)

    def edit_image(self, image: Image.Image, index: int) -> Image.Image:
        return self._chain("edit_image", "image", image, is_a(Image.Image), index=index)

    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """The sum of what the extensions return."""
        self._gave = []
        total: Residuals | None = None
        for impl in self._of("unet_residuals"):
            given = copied(call)
            handed = versions(given)
            try:
                mine: Residuals | None = self.call(impl, {"call": given})
                refuse_change("call", given, call, None, handed)
                if mine is not None:
                    check_residuals(mine, call)
                    self._gave.append(impl.plugin_name)
                    total = mine if total is None else total + mine
            except (Cancelled, MemoryShortError):
                raise
            except Exception as error:
                self.drop(impl.plugin_name, hook="unet_residuals", error=error)
        return total

    def call_network(self, call: ModelCall, network: CallNetwork) -> Tensor:
        """The network's output. Where several extensions call it, the first one's `network` is the second one."""
        for impl in reversed(self._of("call_network")):
            network = partial(self._called_by, impl, network)
        return network(call)

    def _called_by(self, impl: pluggy.HookImpl, network: CallNetwork, call: ModelCall) -> Tensor:
        """The network's output as one extension has it called; as usual where that fails."""
        outside = Outside(network, self._calls)
        given = copied(call)
        handed = versions(given)
        try:
            output = self.call(impl, {"call": given, "network": outside})
            refuse_change("call", given, call, output, handed)
            if output is not None:
                check_output(output, call)
                return output  # type: ignore[no-any-return]
        except Exception as error:
            if error is outside.error or isinstance(error, Cancelled | MemoryShortError):
                raise
            self.drop(impl.plugin_name, "call_network", error)
        return network(call)

    def refuse_residuals(self, error: Exception) -> None:
        """The network cannot use what those gave that were called last."""
        for name in self._gave:
            text = f"the network cannot use the residuals that it returned: {said(error)}"
            self.drop(name, "unet_residuals", ExtensionError(text))

    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart]:
        return self._attention.of(self._of("unet_attention"), call)

    def refuse_attention(self) -> None:
        self._attention.refuse()

    def fields(self, index: int) -> dict[str, str | dict[str, Any]]:
        """Fields of all extensions for the infotext of an image, and which of them were dropped."""
        fields: dict[str, str | dict[str, Any]] = {}
        for impl in self._of("image_fields"):
            try:
                with self._calls.inside(impl.plugin_name, "image_fields"):
                    mine = self.call(impl, {"index": index})
                    if mine is not None:
                        is_a(Mapping)(mine, fields)
                        fields |= {str(key): told_value(value) for key, value in mine.items()}
            except Exception as error:
                self.drop(impl.plugin_name, "image_fields", error)
        return fields | ({"Failed extensions": ", ".join(self._dropped)} if self._dropped else {})

    def file_words(self, index: int) -> dict[str, str]:
        """Words of all extensions for the name of an image's file; of two of one name the first counts."""
        words: dict[str, str] = {}
        for impl in self._of("file_words"):
            try:
                with self._calls.inside(impl.plugin_name, "file_words"):
                    mine = self.call(impl, {"index": index})
                    if mine is not None:
                        is_a(Mapping)(mine, words)
                        words = {**as_file_words(mine), **words}
            except Exception as error:
                self.drop(impl.plugin_name, "file_words", error)
        return words

    def ended(self, error: str) -> None:
        """Tell that the job is over."""
        for impl in self._of("job_ended"):
            try:
                is_a(type(None))(self.call(impl, {"error": error}), None)
            except Exception as fault:
                self.drop(impl.plugin_name, "job_ended", fault)

    def extra_images(self) -> list[Image.Image]:
        """Pictures that extensions show after the made ones."""
        found: list[Image.Image] = []
        for impl in self._of("extra_images"):
            try:
                with self._calls.inside(impl.plugin_name, "extra_images"):
                    mine: tuple[Image.Image, ...] = tuple(self.call(impl, {}) or ())
                for image in mine:
                    is_a(Image.Image)(image, None)
                found += mine
            except Exception as error:
                self.drop(impl.plugin_name, "extra_images", error)
        return found

    def call(self, impl: pluggy.HookImpl, given: Mapping[str, Any]) -> Any:
        """Call with only the arguments the extension asked for, as pluggy does, and measure.

        Raises:
            ExtensionError: see `Calls.inside`.
        """
        return self.run(
            impl.plugin_name, impl.function.__name__, impl.function, *[given[name] for name in impl.argnames]
        )

    def run(self, extension: str, hook: str, work: Callable[..., Any], *given: Any) -> Any:
        """What code of an extension returns; it is measured as a hook."""
        began = time.perf_counter()
        before, self.at = self.at, hook
        try:
            with self._calls.inside(extension, hook):
                return self._called(extension, hook, partial(work, *given))
        finally:
            self.at = before
            name = f"{extension}: {hook}"
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - began

    def _called(self, extension: str, hook: str, work: Callable[[], Any]) -> Any:
        """What code of an extension returns; called again where memory runs out in it and room can be made."""
        if self._residency is None:
            return work()
        return self._residency.rescued(
            work,
            work=f"the extension {extension} was at work ({hook})",
            lower="lower width and height, ask less of that extension, or start with --vram low",
        )

    def _chain(
        self,
        hook: str,
        name: str,
        value: T,
        check: Callable[[Any, Any], None],
        outside: Outside[..., Any] | None = None,
        **others: Any,
    ) -> T:
        """Give each extension the value the one before it returned; tensors as copies, so that no change gets lost.

        Args:
            outside: work of the program that is handed out; its own errors pass.
        """
        for impl in self._of(hook):
            given = {key: copied(one) for key, one in {**others, name: value}.items()}
            handed = {key: versions(one) for key, one in given.items()}
            try:
                new = self.call(impl, given)
                for key, original in {**others, name: value}.items():
                    refuse_change(key, given[key], original, new, handed[key])
                if new is not None:
                    check(new, value)
                    value = new
            except (Cancelled, MemoryShortError):
                raise
            except Exception as error:
                if outside is not None and error is outside.error:
                    raise
                self.drop(impl.plugin_name, hook, error)
        return value


@contextmanager
def told_of_failure(hooks: JobHooks) -> Iterator[None]:
    """A job: where it fails, its extensions are told; of a success they are told with its result."""
    try:
        yield
    except Exception as error:
        hooks.ended(str(error) or type(error).__name__)
        raise
