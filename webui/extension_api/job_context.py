"""What the host hands to an extension that may join a job. Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webui.domain.request import GenerationRequest
from webui.extension_api.model_files import Models
from webui.extension_api.options import Options

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
