"""The hooks of a job with regions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from webui.extension_api import BadRequestError, Cancelled, GenerationRequest, JobContext, NetworkTag, hookimpl
from webui.extension_api.tensors import Conditioning, ModelCall, PromptTexts, Row, TakePart

from .coverage import Weighted
from .divisions import divided
from .options import NOT_HIRES, ONLY_HIRES, RegionsOptions
from .region_rules import runs_apart
from .region_runs import mixed_runs, run_plain
from .region_words import fields_of
from .regional_attention import parts_in
from .regional_networks import NONE, RegionalNetworks, Tags
from .regional_text import RegionalText, encoded
from .word_regions import WordMaps, parts_by_words, target_word

FINE = 64  # places on a side at which it is looked whether regions cover the picture


class RegionalJob:
    """Parts of the prompts act in parts of the pictures."""

    def __init__(self, job: JobContext, options: RegionsOptions) -> None:
        self._job = job
        self._options = options
        self._text: RegionalText | None = None
        self._acted = False
        self._maps = WordMaps(options)
        self._told: set[str] = set()
        self._words: dict[int, list[tuple[int, ...]]] = {}
        self._networks = RegionalNetworks(options)
        self._prompts: tuple[str, ...] = ()

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> None:
        """Refuse what cannot be made, before there is any work, and tell what has no effect."""
        options = self._options
        if options.lora_stop or options.lora_hires_stop or options.weighs_negative_loras:
            self._job.notice("numbers for LoRA (negative prompt, stop steps) have no effect; networks act as usual")
        division = divided(request.prompt, request.negative_prompt, self._options)
        if (
            division is not None
            and isinstance(division.coverage, Weighted)
            and not division.coverage.covers(FINE, FINE)
        ):
            raise BadRequestError("extensions.regions", "some part of the picture is in no region; cover all of it")

    @hookimpl
    def edit_image_request(self, request: GenerationRequest, index: int) -> None:
        """Note which networks stand in which region."""
        if runs_apart(self._options):
            self._networks.note_prompt(request)

    @hookimpl
    def use_networks(self, networks: Sequence[NetworkTag]) -> None:
        """Note the networks of the pass; they are another extension's."""
        self._networks.begin(networks)

    @hookimpl
    def edit_conditioning(self, conditioning: Conditioning, texts: PromptTexts) -> Conditioning | None:
        """The texts of the regions in place of the whole prompts."""
        self._text = encoded(conditioning, texts, self._options)
        if self._text is None:
            return None
        self._acted = True
        self._prompts = tuple(texts.prompts)
        self._words = {} if self._options.mode != "Prompt" else self._found(self._text, texts)
        return self._text.conditioning

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """In each cross-attention, the text of the region."""
        if self._text is None or runs_apart(self._options) or not self._acts_in(call):
            return None
        if self._options.mode == "Prompt":
            return parts_by_words(call, self._text, self._maps, self._words)
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
        return mixed_runs(call, asked, self._text, self._acting) if runs_apart(self._options) and has_any else None

    @hookimpl
    def image_fields(self) -> Mapping[str, Any] | None:
        """What was done, in the words of the extension that does it in A1111."""
        return fields_of(self._options) if self._acted else None

    def _acting(self, row: Row, regions: int) -> tuple[Tags, ...] | None:
        """By region, the networks that act in its run for a row; None: all do."""
        if not self._networks.any:
            return None
        return (NONE,) * regions if not row.positive else self._networks.of(self._prompts[row.image], regions)

    def _found(self, text: RegionalText, texts: PromptTexts) -> dict[int, list[tuple[int, ...]]]:
        """By image, for each region the tokens of its word in the base prompt. Words without any are told."""
        found: dict[int, list[tuple[int, ...]]] = {}
        for image in range(len(texts.prompts)):
            division = text.of(Row(image, True, 0)).division
            if division is None:
                continue
            base, *others = division.texts
            found[image] = [texts.tokens_of(base, target_word(one)) for one in others]
            for one, tokens in zip(others, found[image], strict=True):
                told = f"{target_word(one)!r} does not stand in the base prompt, so its region lies nowhere"
                if not tokens and told not in self._told:
                    self._told.add(told)
                    self._job.notice(told)
        return found

    def _acts_in(self, call: ModelCall) -> bool:
        options = self._options
        if options.mode == "Lines":
            return not (options.first_pass_only and call.place.hires)
        return (NOT_HIRES if call.place.hires else ONLY_HIRES) not in options.options
