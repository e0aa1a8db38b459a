"""Applies the patches of extensions to the models of a job, and keeps them for the next job where that is possible.

What a patch is, is defined in `plugins/patches.py`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from webui.domain.result import Notice
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.plugins.calling import ExtensionError, fatal
from webui.plugins.jobhooks import JobHooks
from webui.plugins.patches import Patch, PatchError, Patches
from webui.plugins.traces import ModelTrace
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel
from webui.weights.recovery import is_out_of_memory
from webui.weights.residency import Residency
from webui.weights.resident import Resident

log = logging.getLogger(__name__)


class Patching:
    """Keeps patches applied from job to job as long as each job wants the same patches on the same model."""

    def __init__(self, models: ModelCache) -> None:
        self._models = models
        self._kept: _Patched | None = None
        self._file: tuple[ModelFile, str] | None = None

    def expect(self, file: ModelFile) -> None:
        """Call this before a checkpoint is loaded. Kept patches hold their model in memory, so those of another
        checkpoint are undone first.
        """
        now = (file, version(file.path))
        if self._file != now:
            self.leave()
            self._file = now

    @contextmanager
    def on(self, hooks: JobHooks, model: LoadedModel) -> Iterator["JobPatches"]:
        """While entered, the model of a job is patched as the extensions want. In the end all patches are undone,
        except those that may be kept.

        Raises:
            WebuiError: a patch could not be applied, or the patch of an earlier job has left the model changed.
        """
        wanted = hooks.patches(model)
        if self._kept is not None and not (self._kept.is_of(model) and self._kept.patches.begins_like(wanted)):
            spoilt = self.end(self._kept)
            if spoilt and self._kept.is_of(model):
                self._kept = None
                raise ExtensionError(f"{spoilt[0].source}: {spoilt[0].text}; run the job again")
            self._kept = None
        main = self._kept = self._kept or self.patched(model)
        job = JobPatches(self, hooks, main)
        went_well = False
        try:
            main.apply(wanted)
            yield job
            went_well = any(main.is_of(one) for one in self._models.loaded())
        finally:
            job.end_others()
            hooks.notices += self.end(main, keep=went_well)
            if not main.patches.applied:
                self._kept = None

    def patched(self, model: LoadedModel) -> "_Patched":
        """A model without patches."""
        return _Patched(model, self._models.residency)

    def leave(self) -> None:
        """Undo the patches that were kept."""
        if self._kept is not None:
            self.end(self._kept)
        self._kept, self._file = None, None

    @contextmanager
    def inside(self, main: "_Patched") -> Iterator[None]:
        """While entered, other jobs may patch models, the one of `main` too; then `main` is in force, without patches
        that do not stay from job to job.
        """
        file = self._file
        try:
            yield
        finally:
            if self._kept is not None and self._kept is not main:
                self.end(self._kept)
            self._kept, self._file = main, file

    def end(self, patched: "_Patched", *, keep: bool = False) -> list[Notice]:
        """Undo the patches of a model (with `keep`, all but those that may stay). A model that does not come out as it
        was before is dropped, and loaded again when it is needed.
        """
        notices = patched.end(keep=keep)
        if notices:
            self._models.forget(patched.model)
        for notice in notices:
            log.warning("extension %s: %s", notice.source, notice.text)
        return notices


class JobPatches:
    """The patches of one job: on its model, and on further ones.

    Attributes:
        lost: why the patches could not be applied again after a run inside the job; None while all is well.
    """

    def __init__(self, patching: Patching, hooks: JobHooks, main: "_Patched") -> None:
        self._patching = patching
        self._hooks = hooks
        self._main = main
        self._others: list[_Patched] = []
        self.lost: Exception | None = None

    def __call__(self, model: LoadedModel) -> LoadedModel:
        """Patch a further model (such as the refiner), or one again after the wishes of extensions have changed."""
        known = next((one for one in [self._main, *self._others] if one.is_of(model)), None)
        if known is None:
            known = self._patching.patched(model)
            self._others.append(known)
        known.apply(self._hooks.patches(model))
        return model

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """While entered, another job may run. Patches that it wants too stay applied; the rest are undone for it.

        Further models of the job are patched again when it comes to them.
        """
        self.end_others()
        try:
            with self._patching.inside(self._main):
                yield
        finally:
            try:
                self._main.apply(self._hooks.patches(self._main.model))
            except Exception as error:
                self.lost = error
                raise

    def end_others(self) -> None:
        """Undo what is on further models."""
        while self._others:
            self._hooks.notices += self._patching.end(self._others.pop())


class _Patched:
    """One model with its patches, and a record of its state without them."""

    def __init__(self, model: LoadedModel, residency: Residency) -> None:
        self.model = model
        self._residency = residency
        self.patches = Patches()
        self._clean: ModelTrace | None = None
        self._settled = 0  # changes by patches that others were told of

    def is_of(self, model: LoadedModel) -> bool:
        return self.model.network is model.network

    def apply(self, wanted: tuple[Patch, ...]) -> None:
        """Apply and undo patches until exactly the wanted ones are applied. Raises WebuiError."""
        if wanted and self._clean is None:
            self._clean = ModelTrace.of(self.model)
        self._residency.rescued(
            lambda: self.patches.apply(wanted, _refuse),
            work="extensions changed the model",
            lower="name fewer networks in the prompt, or start with --vram low",
        )
        self._settle()

    def _settle(self) -> None:
        """Weights that extensions have put in place, or back, come to where the network's others are."""
        written, self._settled = self.patches.changes != self._settled, self.patches.changes
        for owner in (self.model.network, self.model.vae, *self.model.text.encoders):
            resident = getattr(owner, "resident", None)
            if isinstance(resident, Resident):
                resident.settle()
                resident.written += written

    def end(self, *, keep: bool) -> list[Notice]:
        """Undo the patches (with `keep`, all but those that may stay). Returns what went wrong."""
        owners = self.patches.applied
        try:
            if keep:
                self.patches.leave_unkeyed()
            else:
                self.patches.leave()
        except PatchError as error:
            self._settle()
            return [
                Notice(name, f"its patch could not be undone ({reason}); the model is loaded anew")
                for name, reason in error.failures
            ]
        self._settle()
        if self._clean is None or self.patches.applied:
            return []
        difference = self._clean.difference(ModelTrace.of(self.model))
        self._clean = None
        text = f"left the model changed ({difference}); the model is loaded anew"
        return [Notice(" or ".join(dict.fromkeys(owners)), text)] if difference else []


def _refuse(patch: Patch, error: Exception) -> None:
    if is_out_of_memory(error):
        raise error
    raise fatal(patch.extension, "patch_model", error) from error
