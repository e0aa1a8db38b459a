"""Patches of extensions on the models of a job, and from job to job. What a patch is stands in `plugins/patches.py`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from webui.domain.result import Notice
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.plugins.calling import ExtensionError
from webui.plugins.jobhooks import JobHooks, fatal
from webui.plugins.patches import Patch, PatchError, Patches
from webui.plugins.traces import ModelTrace
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel

Patched = Callable[[LoadedModel], LoadedModel]

log = logging.getLogger(__name__)


class Patching:
    """Keeps patches applied as long as the next job wants the same ones on the same model."""

    def __init__(self, models: ModelCache) -> None:
        self._models = models
        self._kept: _Patched | None = None
        self._file: tuple[ModelFile, str] | None = None

    def expect(self, file: ModelFile) -> None:
        """Before a checkpoint is looked up: patches hold their model in memory, so they go before another is loaded."""
        now = (file, version(file.path))
        if self._file != now:
            self.leave()
            self._file = now

    @contextmanager
    def on(self, hooks: JobHooks, model: LoadedModel) -> Iterator[Patched]:
        """Patch the model of a job; gives what patches a further one (the refiner), or a model anew where what the
        extensions want has changed. All but what may stay is left.

        Raises:
            WebuiError: a patch could not be applied, or one of an earlier job has spoilt the model.
        """
        wanted = hooks.patches(model)
        if self._kept is not None and not (self._kept.is_of(model) and self._kept.patches.begins_like(wanted)):
            spoilt = self._end(self._kept)
            if spoilt and self._kept.is_of(model):
                self._kept = None
                raise ExtensionError(f"{spoilt[0].source}: {spoilt[0].text}; run the job again")
            self._kept = None
        main = self._kept = self._kept or _Patched(model)
        others: list[_Patched] = []

        def patched(other: LoadedModel) -> LoadedModel:
            known = next((one for one in [main, *others] if one.is_of(other)), None)
            if known is None:
                known = _Patched(other)
                others.append(known)
            known.apply(hooks.patches(other))
            return other

        went_well = False
        try:
            main.apply(wanted)
            yield patched
            went_well = any(main.is_of(one) for one in self._models.loaded())
        finally:
            for one in reversed(others):
                hooks.notices += self._end(one)
            hooks.notices += self._end(main, keep=went_well)
            if not main.patches.applied:
                self._kept = None

    def leave(self) -> None:
        """Undo what was kept."""
        if self._kept is not None:
            self._end(self._kept)
        self._kept, self._file = None, None

    def _end(self, patched: "_Patched", *, keep: bool = False) -> list[Notice]:
        """Leave the patches. A model that keeps traces of one is not used again: it is loaded anew."""
        notices = patched.end(keep=keep)
        if notices:
            self._models.forget(patched.model)
        for notice in notices:
            log.warning("extension %s: %s", notice.source, notice.text)
        return notices


class _Patched:
    """One model with its patches, and what it looked like without them."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.patches = Patches()
        self._clean: ModelTrace | None = None

    def is_of(self, model: LoadedModel) -> bool:
        return self.model.network is model.network

    def apply(self, wanted: tuple[Patch, ...]) -> None:
        """Make exactly these patches be on the model. Raises WebuiError."""
        if wanted and self._clean is None:
            self._clean = ModelTrace.of(self.model)
        self.patches.apply(wanted, _refuse)

    def end(self, *, keep: bool) -> list[Notice]:
        """Leave the patches (all but what may stay); what went wrong with that."""
        owners = self.patches.applied
        try:
            if keep:
                self.patches.leave_unkeyed()
            else:
                self.patches.leave()
        except PatchError as error:
            return [
                Notice(name, f"its patch could not be undone ({reason}); the model is loaded anew")
                for name, reason in error.failures
            ]
        if self._clean is None or self.patches.applied:
            return []
        difference = self._clean.difference(ModelTrace.of(self.model))
        self._clean = None
        text = f"left the model changed ({difference}); the model is loaded anew"
        return [Notice(" or ".join(dict.fromkeys(owners)), text)] if difference else []


def _refuse(patch: Patch, error: Exception) -> None:
    raise fatal(patch.extension, "patch_model", error) from error
