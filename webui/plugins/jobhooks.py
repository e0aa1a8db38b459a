"""Calling the hooks of one job, one extension at a time, so that one failure stays one.

A fault before the work (edit_request, patch_model) fails the job; a fault during it drops that extension for the rest
of the job and leaves a notice, and the image is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pluggy
from PIL import Image
from torch import Tensor, nn

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.plugins.hookspecs import PROJECT, JobSpec
from webui.prompt.conditioning import Conditioning
from webui.sampling.steps import ModelCall, Residuals, Step

T = TypeVar("T")


class ExtensionError(WebuiError):
    """An extension broke the contract of a hook."""


class JobHooks:
    """The extensions of one job. Implements `sampling.steps.StepHooks`."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(JobSpec)
        self.notices: list[Notice] = []

    def join(self, extension: str, member: object) -> None:
        """Add what an extension's `join_job` returned.

        Raises:
            ExtensionError: where it implements a hook, or takes an argument, that does not exist.
        """
        try:
            self._manager.register(member, name=extension)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise ExtensionError(f"extension {extension}: {error}") from error

    def edit_request(self, request: GenerationRequest) -> GenerationRequest:
        """Chain the requests. Faults are fatal: no work has been done."""
        for impl in self._impls("edit_request"):
            try:
                new = _call(impl, {"request": request})
                if new is not None:
                    _is_a(GenerationRequest)(new, request)
                    request = new
            except Exception as error:
                raise ExtensionError(f"extension {impl.plugin_name}, edit_request: {error}") from error
        return request

    def patch_model(self, unet: nn.Module) -> ExitStack:
        """Enter every extension's patch; leaving the stack undoes them all. Faults are fatal."""
        with ExitStack() as stack:
            for impl in self._impls("patch_model"):
                try:
                    patch = _call(impl, {"unet": unet})
                    if patch is not None:
                        stack.enter_context(patch)
                except Exception as error:
                    raise ExtensionError(f"extension {impl.plugin_name}, patch_model: {error}") from error
            return stack.pop_all()

    def edit_conditioning(self, conditioning: Conditioning) -> Conditioning:
        return self._chain("edit_conditioning", "conditioning", conditioning, _is_a(Conditioning))

    def pre_step(self, step: Step, latents: Tensor) -> Tensor:
        return self._chain("pre_step", "latents", latents, _same_tensor, step=step)

    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> Tensor:
        return self._chain("post_step", "latents", latents, _same_tensor, step=step, denoised=denoised)

    def edit_denoised(self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        return self._chain("edit_denoised", "denoised", denoised, _same_tensor, step=step, cond=cond, uncond=uncond)

    def edit_image(self, image: Image.Image, index: int) -> Image.Image:
        return self._chain("edit_image", "image", image, _is_a(Image.Image), index=index)

    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """The sum of what the extensions return."""
        total: Residuals | None = None
        for impl in self._impls("unet_residuals"):
            try:
                mine: Residuals | None = _call(impl, {"call": call})
                if mine is not None:
                    total = mine if total is None else total + mine
            except Cancelled:
                raise
            except Exception as error:
                self._drop(impl, error)
        return total

    def _chain(self, hook: str, name: str, value: T, check: Callable[[Any, Any], None], **given: Any) -> T:
        """Give each extension the value the one before it returned."""
        for impl in self._impls(hook):
            try:
                new = _call(impl, {**given, name: value})
                if new is not None:
                    check(new, value)
                    value = new
            except Cancelled:
                raise
            except Exception as error:
                self._drop(impl, error)
        return value

    def _impls(self, hook: str) -> Iterator[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return iter(caller.get_hookimpls())

    def _drop(self, impl: pluggy.HookImpl, error: Exception) -> None:
        self._manager.unregister(impl.plugin)
        hook = impl.function.__name__
        text = f"left out of the rest of this job, {hook}: {type(error).__name__}: {error}"
        self.notices.append(Notice(impl.plugin_name, text))


def _call(impl: pluggy.HookImpl, given: dict[str, Any]) -> Any:
    """Call with only the arguments the extension asked for, as pluggy does."""
    return impl.function(*[given[name] for name in impl.argnames])


def _same_tensor(new: Any, old: Tensor) -> None:
    if not isinstance(new, Tensor):
        raise ExtensionError(f"returned {type(new).__name__}, expected a tensor")
    if (new.shape, new.dtype, new.device) != (old.shape, old.dtype, old.device):
        raise ExtensionError(f"returned {tuple(new.shape)} {new.dtype}, expected {tuple(old.shape)} {old.dtype}")


def _is_a(kind: type) -> Callable[[Any, Any], None]:
    def check(new: Any, old: Any) -> None:
        if not isinstance(new, kind):
            raise ExtensionError(f"returned {type(new).__name__}, expected {kind.__name__}")

    return check
