"""Types of the program that are a part of the contract as they stand: a change of one that breaks extensions counts as
a change of this package, and `API_VERSION` grows with it.

Requests, as hooks see and change them: `GenerationRequest` with its tasks `Txt2Img` and `Img2Img`, `Inpainting`.
What `job.generate` makes of one: `GenerationResult` with its `GeneratedImage`s. `PlannedImage` is one image before it
is made.
Pictures in requests and options: `Picture`, `Mask` of an `Inpainting`, and `ImageField` for a field of options that
takes a picture in base64.
`NetworkTag` is one `<kind:name:...>` of a prompt, `SamplerInfo` what is known of a sampler, `Notice` what a user hears.
`Dialect`, `Word`, `Item`, `Entries`, `ScriptForm` and `Told` say what A1111's words mean to an extension. `Account` is
what a loader fills about a file, so that what nobody read is said.

Errors that an extension may raise, each with a sentence for the user: `BadRequestError` (it names the option),
`UnknownModelError`, `UnusableFileError`, `NotFiniteError`, `Cancelled` (the user stopped it), and `WebuiError`, the
base of all, for everything else that is expected to go wrong.
"""

from webui.domain.catalog import SamplerInfo
from webui.domain.dialect import Dialect, Entries, Item, ScriptForm, Told, Word
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
from webui.domain.masks import Mask
from webui.domain.planned_image import PlannedImage
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import GeneratedImage, GenerationResult, Notice
from webui.library.accounting import Account
from webui.prompt.composition import NetworkTag

__all__ = [
    "Account",
    "BadRequestError",
    "Cancelled",
    "Dialect",
    "Entries",
    "GeneratedImage",
    "GenerationRequest",
    "GenerationResult",
    "ImageField",
    "Img2Img",
    "Inpainting",
    "Item",
    "Mask",
    "NetworkTag",
    "NotFiniteError",
    "Notice",
    "Picture",
    "PlannedImage",
    "SamplerInfo",
    "ScriptForm",
    "Told",
    "Txt2Img",
    "UnknownModelError",
    "UnusableFileError",
    "WebuiError",
    "Word",
]
