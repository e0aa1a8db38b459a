"""Calling the hooks of one job, one extension at a time, so that one failure stays one.

A fault before the work (edit_request, patch_model) fails the job; a fault during it drops that extension for the rest
of the job and leaves a notice, and the image is kept.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pluggy
import torch
from PIL import Image
from torch import Tensor

from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.extension_api.hookspecs import JobSpec
from webui.extension_api.job_context import ModelTraits
from webui.extension_api.markers import PROJECT
from webui.plugins.patches import Patch
from webui.prompt.composition import NetworkTag
from webui.prompt.conditioning import Conditioning
from webui.prompt.embeddings import Embedding
from webui.sampling.steps import ModelCall, Residuals, Step
from webui.weights.model import LoadedModel

T = TypeVar("T")

log = logging.getLogger(__name__)


class ExtensionError(WebuiError):
    """An extension broke the contract of a hook."""


class JobHooks:
    """The extensions of one job. Implements `sampling.steps.StepHooks`.

    Attributes:
        model: the job's checkpoint, set once it is loaded; extensions read it as `job.model`.
        notices: what the user should know.
        timings: seconds by `extension: hook`, for each that was called.
    """

    def __init__(self) -> None:
        self._manager: pluggy.PluginManager | None = None  # made for the first member: a job without any pays nothing
        self._impls: Mapping[str, tuple[pluggy.HookImpl, ...]] = {}
        self._dropped: list[str] = []
        self.model: ModelTraits | None = None
        self.notices: list[Notice] = []
        self.timings: dict[str, float] = {}

    def join(self, extension: str, member: object) -> None:
        """Add what an extension's `join_job` returned.

        Raises:
            ExtensionError: where it implements a hook, or takes an argument, that does not exist.
        """
        if self._manager is None:
            self._manager = pluggy.PluginManager(PROJECT)
            self._manager.add_hookspecs(JobSpec)
        try:
            self._manager.register(member, name=extension)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise ExtensionError(f"extension {extension}: {error}") from error
        self._impls = _sorted(self._manager)

    @property
    def members(self) -> tuple[str, ...]:
        """The extensions that act in this job, without those that were dropped."""
        return tuple(name for name, _ in self._manager.list_name_plugin()) if self._manager else ()

    def edit_request(self, request: GenerationRequest) -> GenerationRequest:
        """Chain the requests. Faults are fatal: no work has been done."""
        for impl in self._of("edit_request"):
            try:
                new = self.call(impl, {"request": request})
                if new is not None:
                    _is_a(GenerationRequest)(new, request)
                    request = new
            except Exception as error:
                raise fatal(impl.plugin_name, "edit_request", error) from error
        return request

    def has(self, hook: str) -> bool:
        """Whether an extension of this job has a hook."""
        return bool(self._of(hook))

    def edit_image_request(self, request: GenerationRequest, index: int) -> GenerationRequest:
        """Chain the requests of one image, of which only the prompts may change. Faults are fatal."""
        for impl in self._of("edit_image_request"):
            try:
                new = self.call(impl, {"request": request, "index": index})
                if new is not None:
                    _is_a(GenerationRequest)(new, request)
                    _only_prompts(new, request)
                    request = new
            except Exception as error:
                raise fatal(impl.plugin_name, "edit_image_request", error) from error
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
                context = self.call(impl, {"model": model})
                if context is not None:
                    _is_context(context)
                    found.append(Patch(impl.plugin_name, context))
            except Exception as error:
                raise fatal(impl.plugin_name, "patch_model", error) from error
        return tuple(found)

    def _collected(self, hook: str, kind: type[T], **given: Any) -> list[T]:
        """What a hook that is called before the work returns, of all extensions."""
        found: list[T] = []
        for impl in self._of(hook):
            try:
                mine: Iterable[T] = self.call(impl, given) or ()
                for one in mine:
                    _is_a(kind)(one, None)
                    found.append(one)
            except Exception as error:
                raise fatal(impl.plugin_name, hook, error) from error
        return found

    def edit_conditioning(self, conditioning: Conditioning) -> Conditioning:
        return self._chain("edit_conditioning", "conditioning", conditioning, _is_a(Conditioning))

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        return self._chain("pre_step", "latents", latents, _same_tensor, step=step)

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        return self._chain("post_step", "latents", latents, _same_tensor, step=step, denoised=denoised)

    def edit_denoised(self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return self._chain("edit_denoised", "denoised", denoised, _same_tensor, step=step, cond=cond, uncond=uncond)

    def edit_pixels(self, pixels: Tensor, index: int) -> Tensor:
        return self._chain("edit_pixels", "pixels", pixels, _same_tensor, index=index)

    def edit_image(self, image: Image.Image, index: int) -> Image.Image:
        return self._chain("edit_image", "image", image, _is_a(Image.Image), index=index)

    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """The sum of what the extensions return."""
        total: Residuals | None = None
        for impl in self._of("unet_residuals"):
            given = replace(call, sample=call.sample.clone())
            try:
                mine: Residuals | None = self.call(impl, {"call": given})
                _refuse_change("call.sample", given.sample, call.sample, None)
                if mine is not None:
                    _is_a(Residuals)(mine, call)
                    total = mine if total is None else total + mine
            except Cancelled:
                raise
            except Exception as error:
                self._drop(impl, error)
        return total

    def fields(self, index: int) -> dict[str, str]:
        """Fields of all extensions for the infotext of an image, and which of them were dropped."""
        fields: dict[str, str] = {}
        for impl in self._of("image_fields"):
            try:
                mine = self.call(impl, {"index": index})
                if mine is not None:
                    _is_a(Mapping)(mine, fields)
                    fields |= {str(key): str(value) for key, value in mine.items()}
            except Exception as error:
                self._drop(impl, error)
        return fields | ({"Failed extensions": ", ".join(self._dropped)} if self._dropped else {})

    def extra_images(self) -> list[Image.Image]:
        """Pictures that extensions show after the made ones."""
        found: list[Image.Image] = []
        for impl in self._of("extra_images"):
            try:
                mine: Sequence[Image.Image] = self.call(impl, {}) or ()
                for image in mine:
                    _is_a(Image.Image)(image, None)
                found += mine
            except Exception as error:
                self._drop(impl, error)
        return found

    def call(self, impl: pluggy.HookImpl, given: Mapping[str, Any]) -> Any:
        """Call with only the arguments the extension asked for, as pluggy does, and measure."""
        began = time.perf_counter()
        try:
            return impl.function(*[given[name] for name in impl.argnames])
        except SystemExit as error:
            raise ExtensionError("called sys.exit") from error
        finally:
            name = f"{impl.plugin_name}: {impl.function.__name__}"
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - began

    def _chain(self, hook: str, name: str, value: T, check: Callable[[Any, Any], None], **others: Any) -> T:
        """Give each extension the value the one before it returned; tensors as copies, so that no change gets lost."""
        for impl in self._of(hook):
            given = {key: _copy(one) for key, one in {**others, name: value}.items()}
            try:
                new = self.call(impl, given)
                for key, original in {**others, name: value}.items():
                    _refuse_change(key, given[key], original, new)
                if new is not None:
                    check(new, value)
                    value = new
            except Cancelled:
                raise
            except Exception as error:
                self._drop(impl, error)
        return value

    def _of(self, hook: str) -> tuple[pluggy.HookImpl, ...]:
        return self._impls.get(hook, ())

    def _drop(self, impl: pluggy.HookImpl, error: Exception) -> None:
        if self._manager is not None and impl.plugin_name in self.members:
            self._manager.unregister(impl.plugin)
            self._impls = _sorted(self._manager)
        self._dropped.append(impl.plugin_name)
        hook = impl.function.__name__
        log.warning("extension %s, %s", impl.plugin_name, hook, exc_info=error)
        reason = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
        self.notices.append(Notice(impl.plugin_name, f"left out of the rest of this job, {hook}: {reason}"))


def fatal(extension: str, hook: str, error: Exception) -> WebuiError:
    """A fault before the work as the error of the job; what the user did keeps its kind."""
    if isinstance(error, BadRequestError | Cancelled):
        return error
    reason = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
    return ExtensionError(f"extension {extension}, {hook}: {reason}")


def _sorted(manager: pluggy.PluginManager) -> dict[str, tuple[pluggy.HookImpl, ...]]:
    """Who implements what, so that a hook that nobody has costs a look into a dict."""
    callers = {name: getattr(manager.hook, name) for name in vars(JobSpec) if not name.startswith("_")}
    return {name: tuple(sorted(caller.get_hookimpls(), key=_turn)) for name, caller in callers.items()}


def _turn(impl: pluggy.HookImpl) -> int:
    """Who asked to be first or last is; the others keep the order in which they joined."""
    return 1 - impl.tryfirst + impl.trylast


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _refuse_change(name: str, given: Any, original: Any, returned: Any) -> None:
    """Whether a copy that was handed out was written to. Returning that very copy is one way to return new values."""
    if not isinstance(given, Tensor) or given is returned or torch.equal(given, original):
        return
    if given.shape == original.shape and torch.equal(given.nan_to_num(), original.nan_to_num()):
        return  # NaN is not equal to itself
    raise ExtensionError(f"changed {name} in place; return new values instead")


def _same_tensor(new: Any, old: Tensor) -> None:
    if not isinstance(new, Tensor):
        raise ExtensionError(f"returned {type(new).__name__}, expected a tensor")
    if (new.shape, new.dtype, new.device) != (old.shape, old.dtype, old.device):
        raise ExtensionError(
            f"returned {tuple(new.shape)} {new.dtype} on {new.device}, "
            f"expected {tuple(old.shape)} {old.dtype} on {old.device}"
        )


def _only_prompts(new: GenerationRequest, old: GenerationRequest) -> None:
    texts = {"prompt": new.prompt, "negative_prompt": new.negative_prompt}
    if old.model_copy(update=texts) != new:
        raise ExtensionError("changed more than prompt and negative_prompt; use edit_request for that")


def _is_context(value: Any) -> None:
    if not (hasattr(value, "__enter__") and hasattr(value, "__exit__")):
        raise ExtensionError(f"returned {type(value).__name__}, expected a context manager")


def _is_a(kind: type) -> Callable[[Any, Any], None]:
    def check(new: Any, old: Any) -> None:
        if not isinstance(new, kind):
            raise ExtensionError(f"returned {type(new).__name__}, expected {kind.__name__}")

    return check
