"""What the host hands to extensions: the context of a job and the context of an action. Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from webui.domain.request import GenerationRequest
from webui.plugins.models import Models
from webui.plugins.options import Options

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class JobContext:
    """A job that an extension may join.

    Attributes:
        request: as it was sent, before any `edit_request`; prompts are raw text.
        options: the extension's own, validated; None where the request does not name the extension.
        device, dtype: of the UNet and the text encoders.
        models: files by name, and what was built from them.
        notice: tell the user something in a sentence; it is shown beside the picture.
        stopped: whether the user stopped the job; long work looks now and then and gives back what there is.
    """

    request: GenerationRequest
    options: Options | None
    device: "torch.device"
    dtype: "torch.dtype"
    models: Models
    notice: Callable[[str], None]
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What a running action works with.

    Attributes:
        models: files by name, and what was built from them.
        progress: told (done, total, text) now and then; total 0 where it is not known.
        stopped: whether the user cancelled; then return soon, or raise Cancelled.
        device, dtype: where networks run and with which numbers.
    """

    models: Models
    progress: Callable[[int, int, str], None]
    stopped: Callable[[], bool]
    device: "torch.device"
    dtype: "torch.dtype"

    def new_file(self, kind: str, name: str) -> Path:
        """Where a new file of a kind belongs (`models/Stable-diffusion/name`); nothing is written.

        Raises:
            BadRequestError: the name leads elsewhere, or there is such a file.
        """
        return self.models.new_file(kind, name)

    @property
    def outputs(self) -> Models:
        """The same folders, by the name under which `new_file` is also known."""
        return self.models
