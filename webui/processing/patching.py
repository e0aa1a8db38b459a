"""Patches of extensions on the models of a job, and from job to job. What a patch is stands in `plugins/patches.py`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from webui.domain.result import Notice
from webui.library.cache import version
from webui.library.files import ModelFile
from webui.plugins.jobhooks import JobHooks, fatal
from webui.plugins.patches import Patch, PatchError, Patches
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel

Patched = Callable[[LoadedModel], LoadedModel]

log = logging.getLogger(__name__)


class Patching:
    """Keeps patches applied as long as the next job wants the same ones on the same model."""

    def __init__(self, models: ModelCache) -> None:
        self._models = models
        self._kept = Patches()
        self._file: tuple[ModelFile, str] | None = None
        self._model: LoadedModel | None = None

    def expect(self, file: ModelFile) -> None:
        """Before a checkpoint is looked up: patches hold their model in memory, so they go before another is loaded."""
        now = (file, version(file.path))
        if self._file != now:
            self.leave()
            self._file = now

    @contextmanager
    def on(self, hooks: JobHooks, model: LoadedModel) -> Iterator[Patched]:
        """Patch the model of a job; gives what patches a further one (the refiner). All but what may stay is left."""
        others: dict[int, tuple[Patches, LoadedModel]] = {}

        def patched(other: LoadedModel) -> LoadedModel:
            if not self._kept.is_on(other) and id(other.unet) not in others:
                others[id(other.unet)] = (Patches(), other)
                others[id(other.unet)][0].apply(other, hooks.patches(other), _refuse)
            return other

        try:
            self._model = model
            self._kept.apply(model, hooks.patches(model), _refuse)
            yield patched
        except BaseException:
            self._undo(self._kept.leave, model, hooks)
            raise
        else:
            in_memory = any(model.unet is one.unet for one in self._models.loaded())
            self._undo(self._kept.leave_unkeyed if in_memory else self._kept.leave, model, hooks)
        finally:
            for patches, other in others.values():
                self._undo(patches.leave, other, hooks)

    def leave(self) -> None:
        """Undo what was kept."""
        if self._model is not None:
            self._undo(self._kept.leave, self._model, None)
        self._model, self._file = None, None

    def _undo(self, leave: Callable[[], None], model: LoadedModel, hooks: JobHooks | None) -> None:
        """A model that keeps traces of a patch is not used again: it is loaded anew."""
        try:
            leave()
        except PatchError as error:
            log.exception("patches on %s could not be undone", model.file.name)
            self._models.forget(model)
            for name, reason in error.failures:
                if hooks is not None:
                    text = f"its patch could not be undone ({reason}); the model is loaded anew"
                    hooks.notices.append(Notice(name, text))


def _refuse(patch: Patch, error: Exception) -> None:
    raise fatal(patch.extension, "patch_model", error) from error
