"""The value that an extension gets when it may join a job. It needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.extension_api.model_files import Models
from webui.extension_api.nested_generation import Generate, cannot_generate
from webui.extension_api.options import Options
from webui.extension_api.picture_tools import NO_TOOLS, Tools
from webui.library.family import Family, LatentFormat

if TYPE_CHECKING:
    import torch


def record_nothing(part: str, data: bytes) -> None:
    """For a job of which nobody keeps a recording."""


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """Facts about the checkpoint of a job, as plain data.

    Attributes:
        name: the name of its file, without folder and extension.
        family: everything about its family that does not differ from file to file.
        prediction: what the network outputs: `epsilon` (the noise) or `v` (arXiv:2202.00512).
        latents: the format of its latents.
        in_channels: the channels of the network's input: those of the latents and of conditioning on a picture.
        zero_terminal_snr: whether its own noise levels end in pure noise (arXiv:2305.08891).
    """

    name: str
    family: Family
    prediction: str
    latents: LatentFormat
    in_channels: int
    zero_terminal_snr: bool


@dataclass(frozen=True, slots=True)
class JobContext:
    """A job that an extension may join.

    Attributes:
        request: as it was sent, before any `edit_request`; prompts are raw text.
        options: the extension's own, validated; None where the request does not name the extension.
        device, dtype: of the UNet and the text encoders.
        models: files by name, and what was built from them.
        notice: tell the user something in a sentence; it is shown beside the picture, and counts as progress.
        stopped: whether the user stopped the job; long work looks now and then and gives back what there is. Each
            look counts as progress (see `hookspecs`).
        loaded: the checkpoint once it is loaded; read it as `model`.
        generate: makes the pictures of another request inside this job; see `nested_generation.Generate`.
        extensions: all that may join the job. One may hand another a part of its work, as options in `edit_request`.
        record: keep named bytes (a-z, 0-9 and _, at most 40; at most 8 MB) of this job beside its pictures, in memory
            and for a while: the page reads them at `internal/page/learn/<job>/part/<name>`. A later part of the same
            name takes its place; those of a run inside another job are dropped.
        settings: the extension's own that last (`settings_options`); None where it has none.
        tools: preprocessors, detectors and upscalers of all extensions.
    """

    request: GenerationRequest
    options: Options | None
    device: "torch.device"
    dtype: "torch.dtype"
    models: Models
    notice: Callable[[str], None]
    stopped: Callable[[], bool] = lambda: False
    loaded: Callable[[], ModelTraits | None] = lambda: None
    generate: Generate = cannot_generate
    extensions: frozenset[str] = frozenset()
    record: Callable[[str, bytes], None] = record_nothing
    settings: Options | None = None
    tools: Tools = NO_TOOLS

    @property
    def model(self) -> ModelTraits:
        """The checkpoint of the job. It is known from `use_networks` on; a refiner is only seen by `patch_model`.

        Raises:
            WebuiError: it is not loaded yet, or the job needs none.
        """
        model = self.loaded()
        if model is None:
            raise WebuiError(
                "job.model is not known here: the checkpoint is loaded after edit_request, and a job that only "
                "enlarges pictures loads none; read it in use_networks or a later hook"
            )
        return model
