"""What an extension imports from the program: the contract between the two, with a version of its own. Needs no torch.

`hooks = N` in an extension's manifest names the `API_VERSION` that it was written for. What is imported here is defined
in this package, or listed in `domain_types.py` as a part of the contract. Modules that work on tensors import also from
`webui.extension_api.tensors`, which loads torch.
"""

from webui.extension_api.action import Action, ActionContext, ActionResult
from webui.extension_api.domain_types import (
    Account,
    BadRequestError,
    Cancelled,
    Dialect,
    GenerationRequest,
    ImageField,
    Img2Img,
    Inpainting,
    Item,
    NetworkTag,
    NotFiniteError,
    Notice,
    Picture,
    SamplerInfo,
    Told,
    Txt2Img,
    UnknownModelError,
    UnusableFileError,
    WebuiError,
    Word,
)
from webui.extension_api.functions import (
    blurred,
    coverage,
    extra_networks,
    find_sampler,
    fitted,
    json_object,
    listed,
    painted_box,
    unfinished,
    with_aspect,
)
from webui.extension_api.hints import Card, Chooser, Columns, Heat, Sliders, form_hint, hint
from webui.extension_api.job_context import JobContext, ModelTraits
from webui.extension_api.markers import API_MINOR, API_VERSION, hookimpl
from webui.extension_api.model_files import Models
from webui.extension_api.options import Options
from webui.extension_api.script import Script, ScriptAxis, ScriptPlan, ScriptResult

__all__ = [
    "API_MINOR",
    "API_VERSION",
    "Account",
    "Action",
    "ActionContext",
    "ActionResult",
    "BadRequestError",
    "Cancelled",
    "Card",
    "Chooser",
    "Columns",
    "Dialect",
    "GenerationRequest",
    "Heat",
    "ImageField",
    "Img2Img",
    "Inpainting",
    "Item",
    "JobContext",
    "ModelTraits",
    "Models",
    "NetworkTag",
    "NotFiniteError",
    "Notice",
    "Options",
    "Picture",
    "SamplerInfo",
    "Script",
    "ScriptAxis",
    "ScriptPlan",
    "ScriptResult",
    "Sliders",
    "Told",
    "Txt2Img",
    "UnknownModelError",
    "UnusableFileError",
    "WebuiError",
    "Word",
    "blurred",
    "coverage",
    "extra_networks",
    "find_sampler",
    "fitted",
    "form_hint",
    "hint",
    "hookimpl",
    "json_object",
    "listed",
    "painted_box",
    "unfinished",
    "with_aspect",
]
