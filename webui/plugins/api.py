"""What an extension imports from the program. Needs no torch; tensor types are in `webui.plugins.tensors`."""

from webui.domain.catalog import find_sampler
from webui.domain.errors import (
    BadRequestError,
    Cancelled,
    NotFiniteError,
    UnknownModelError,
    UnusableFileError,
    WebuiError,
)
from webui.domain.images import ImageField, Picture
from webui.domain.inpainting import Inpainting
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import Notice
from webui.imaging.masks import blurred, coverage, painted_box, with_aspect
from webui.imaging.resize import fitted
from webui.library.unfinished import unfinished
from webui.plugins.actions import Action, ActionResult
from webui.plugins.contexts import ActionContext, JobContext, ModelTraits
from webui.plugins.markers import HOOKS_VERSION, hookimpl
from webui.plugins.models import Models
from webui.plugins.options import Options
from webui.prompt.composition import NetworkTag, extra_networks

__all__ = [
    "HOOKS_VERSION",
    "Action",
    "ActionContext",
    "ActionResult",
    "BadRequestError",
    "Cancelled",
    "GenerationRequest",
    "ImageField",
    "Img2Img",
    "Inpainting",
    "JobContext",
    "ModelTraits",
    "Models",
    "NetworkTag",
    "NotFiniteError",
    "Notice",
    "Options",
    "Picture",
    "Txt2Img",
    "UnknownModelError",
    "UnusableFileError",
    "WebuiError",
    "blurred",
    "coverage",
    "extra_networks",
    "find_sampler",
    "fitted",
    "hookimpl",
    "painted_box",
    "unfinished",
    "with_aspect",
]
