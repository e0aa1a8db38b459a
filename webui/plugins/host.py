"""The host as the back sees it: which extensions run, who joins a job, which patches stay on a model."""

import torch

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.plugins.contexts import JobContext
from webui.plugins.jobhooks import JobHooks, fatal
from webui.plugins.loader import Extension, Loaded
from webui.plugins.models import Models
from webui.plugins.options import Options, read_options


class ExtensionHost:
    """Runs the code of extensions. Used from the thread that does jobs."""

    def __init__(self, loaded: Loaded, models: Models, device: torch.device, dtype: torch.dtype) -> None:
        self.loaded = loaded
        self.models = models
        self._device = device
        self._dtype = dtype
        self._joiners = tuple(loaded.extensions[name] for name in sorted(loaded.extensions))

    def join(self, request: GenerationRequest) -> JobHooks:
        """The hooks of a job.

        Raises:
            BadRequestError: the request names an extension that is not there, or options that do not fit it.
            WebuiError: a `join_job` failed.
        """
        given = self._options(request)
        hooks = JobHooks()
        for extension in self._joiners:
            if extension.join is None:
                continue
            name = extension.info.name

            def notice(text: str, name: str = name) -> None:
                hooks.notices.append(Notice(name, text))

            job = JobContext(request, given.get(name), self._device, self._dtype, self.models, notice)
            try:
                member = hooks.call(extension.join, {"job": job})
                if member is not None:
                    hooks.join(name, member)
            except Exception as error:
                raise fatal(name, "join_job", error) from error
        return hooks

    def _options(self, request: GenerationRequest) -> dict[str, Options]:
        return {
            name: read_options(self._taking(name), values, f"extensions.{name}")
            for name, values in request.extensions.items()
        }

    def _taking(self, name: str) -> type[Options]:
        """The options model of the extension a request names."""
        extension: Extension | None = self.loaded.extensions.get(name)
        if extension is not None and extension.options is not None:
            return extension.options
        raise BadRequestError(f"extensions.{name}", refusal(name, self.loaded))


def refusal(name: str, loaded: Loaded) -> str:
    """Why a request cannot name this extension."""
    for info in loaded.infos:
        if info.name == name and info.state != "ok":
            return "is switched off" if info.state == "disabled" else f"cannot be used: {info.error}"
        if info.name == name:
            return "takes no options"
    there = ", ".join(name for name, one in loaded.extensions.items() if one.options) or "none"
    return f"there is no such extension; those that take options: {there}"
