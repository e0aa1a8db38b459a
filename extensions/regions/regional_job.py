"""The hooks of a job with regions."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from webui.extension_api import BadRequestError, Cancelled, GenerationRequest, JobContext, hookimpl
from webui.extension_api.tensors import Conditioning, ModelCall, PromptTexts, TakePart

from .coverage import Weighted
from .divisions import divided
from .options import NOT_HIRES, ONLY_HIRES, RegionsOptions
from .region_rules import runs_apart
from .region_runs import mixed_runs, run_plain
from .region_words import fields_of
from .regional_attention import parts_in
from .regional_text import RegionalText, encoded


class RegionalJob:
    """Parts of the prompts act in parts of the pictures."""

    def __init__(self, job: JobContext, options: RegionsOptions) -> None:
        self._job = job
        self._options = options
        self._text: RegionalText | None = None
        self._acted = False

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> None:
        """Refuse what cannot be made, before there is any work."""
        division = divided(request.prompt, request.negative_prompt, self._options)
        cells = (max(1, request.height // 8), max(1, request.width // 8))
        if division is not None and isinstance(division.coverage, Weighted) and not division.coverage.covers(*cells):
            raise BadRequestError("extensions.regions", "some part of the picture is in no region; cover all of it")

    @hookimpl
    def edit_conditioning(self, conditioning: Conditioning, texts: PromptTexts) -> Conditioning | None:
        """The texts of the regions in place of the whole prompts."""
        self._text = encoded(conditioning, texts, self._options)
        if self._text is None:
            return None
        self._acted = True
        return self._text.conditioning

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """In each cross-attention, the text of the region."""
        if self._text is None or runs_apart(self._options) or not self._acts_in(call):
            return None
        return parts_in(call, self._text)

    @hookimpl
    def call_network(self, call: ModelCall, network: Callable[[ModelCall], Tensor]) -> Tensor | None:
        """In latent mode, a run for each region. The user may stop between them."""
        if self._text is None:
            return None

        def asked(part: ModelCall) -> Tensor:
            if self._job.stopped():
                raise Cancelled("stopped by the user")
            return network(part)

        if not self._acts_in(call):
            return run_plain(call, asked, self._text.plain)
        has_any = any(self._text.of(row).division is not None for row in call.rows if row.positive)
        return mixed_runs(call, asked, self._text) if runs_apart(self._options) and has_any else None

    @hookimpl
    def image_fields(self) -> Mapping[str, Any] | None:
        """What was done, in the words of the extension that does it in A1111."""
        return fields_of(self._options) if self._acted else None

    def _acts_in(self, call: ModelCall) -> bool:
        options = self._options
        if options.mode == "Lines":
            return not (options.first_pass_only and call.place.hires)
        return (NOT_HIRES if call.place.hires else ONLY_HIRES) not in options.options
