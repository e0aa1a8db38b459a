"""`internal/page/tokens` and `.../explain`: how many tokens the prompts take, and what they come to.

`prompt/counting.py` counts, `prompt/explaining.py` explains.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import read_as
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.catalog import find_sampler
from webui.domain.errors import WebuiError
from webui.domain.request import PromptRules
from webui.engine.engine import Engine
from webui.library.choice import likely_family
from webui.library.embeddings import facts_of
from webui.library.family import TextSide
from webui.library.files import Kind, ModelFile
from webui.library.networks import find_network
from webui.prompt.composition import NetworkTag
from webui.prompt.counting import PromptCounter, VectorCount
from webui.prompt.explaining import PromptExplainer
from webui.prompt.styles import Style, merge_styles
from webui.prompt.tokenize import ClipTokenizer

MAX_PROMPT = 32_000  # characters, as the request allows
MAX_STYLES = 200
MAX_STEPS = 150
_KINDS: Mapping[str, Kind] = MappingProxyType({"lora": "lora", "lyco": "lora", "hypernet": "hypernetwork"})
Styles = Callable[[], Mapping[str, Style]]


class TokenQuestion(BaseModel):
    """What stands in the form. `rules` are the prompt rules that its controls show; what is none is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field("", max_length=MAX_PROMPT)
    negative: str = Field("", max_length=MAX_PROMPT)
    styles: list[str] = Field(default_factory=list, max_length=MAX_STYLES)
    steps: int = Field(20, ge=1, le=MAX_STEPS)
    checkpoint: str = Field("", max_length=1000)
    rules: dict[str, JsonValue] = Field(default_factory=dict, max_length=50)


class ExplainQuestion(TokenQuestion):
    """The same, with the sampler: some ask the denoiser twice in a step, and prompt editing counts that."""

    sampler: str = Field("", max_length=200)


class TokenAnswer(BaseModel):
    """`fault` is why a prompt cannot be counted; "" where it was."""

    model_config = ConfigDict(frozen=True)

    used: int = 0
    limit: int = 0
    fault: str = ""


class TokenAnswers(BaseModel):
    """Both counters."""

    model_config = ConfigDict(frozen=True)

    prompt: TokenAnswer
    negative: TokenAnswer


@dataclass(frozen=True, slots=True)
class _Counting:
    """What reads prompts with the same embeddings."""

    counter: PromptCounter
    explainer: PromptExplainer


class TokenCounting:
    """Counts prompts for every visitor: one tokenizer, and the embeddings that are there now."""

    def __init__(self, engine: Engine, styles: Styles) -> None:
        self._engine = engine
        self._styles = styles
        self._lock = threading.Lock()
        self._tokenizer: ClipTokenizer | None = None
        self._known: tuple[tuple[ModelFile, ...], _Counting] | None = None

    def answer(self, asked: TokenQuestion) -> TokenAnswers:
        """Both counts, with the styles merged in."""
        merged = self._merged(asked)
        counter = self._counting().counter
        size = self._side(asked).chunk
        rules = _rules(asked.rules)
        answers = []
        for negative, text in enumerate(merged):
            try:
                count = counter.count(text, size=size, steps=asked.steps, rules=rules, negative=bool(negative))
            except WebuiError as error:
                answers.append(TokenAnswer(fault=str(error)))
            else:
                answers.append(TokenAnswer(used=count.used, limit=count.limit))
        return TokenAnswers(prompt=answers[0], negative=answers[1])

    def explain(self, asked: ExplainQuestion) -> dict[str, Any]:
        """What both prompts come to, with the styles merged in; see `_told`. `fault` is why one cannot be read."""
        merged = self._merged(asked)
        side, rules = self._side(asked), _rules(asked.rules)
        sampler = find_sampler(asked.sampler)
        calls = asked.steps * (2 if sampler is not None and sampler.second_order else 1)
        old = rules.old_emphasis and side.old_emphasis
        explainer = self._counting().explainer
        told: dict[str, Any] = {"steps": asked.steps}
        for negative, name in enumerate(("prompt", "negative")):
            try:
                found = explainer.explain(
                    merged[negative], size=side.chunk, calls=calls, rules=rules, negative=bool(negative), old=old
                )
            except WebuiError as error:
                told[name] = {"fault": str(error)}
            else:
                told[name] = {
                    "fault": "",
                    **asdict(replace(found, tags=())),
                    "tags": [self._tag(tag) for tag in found.tags],
                }
        return told

    def _tag(self, tag: NetworkTag) -> dict[str, Any]:
        """A tag as the page shows it; `known` is null for kinds that only extensions know."""
        kind = _KINDS.get(tag.kind)
        name = tag.positional[0] if tag.positional else ""
        library = self._engine.library
        known = None if kind is None else find_network(library, library.files(kind), name) is not None
        more = [*tag.positional[1:], *(f"{key}={value}" for key, value in tag.named.items())]
        return {"kind": tag.kind, "name": name, "more": more, "known": known}

    def _merged(self, asked: TokenQuestion) -> tuple[str, str]:
        prompts = asked.prompt, asked.negative
        try:
            return merge_styles(*prompts, asked.styles, self._styles())
        except WebuiError:  # a file of styles is damaged: the picker of styles says so
            return prompts

    def _side(self, asked: TokenQuestion) -> TextSide:
        checkpoint = asked.checkpoint or self._engine.starting_values().checkpoint
        return likely_family(self._engine.library, checkpoint).text

    def _counting(self) -> "_Counting":
        """What knows the embeddings listed now; their files are opened once for each listing."""
        library = self._engine.library
        files = tuple(file for file in library.embeddings() if file.usable)
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = ClipTokenizer()
            if self._known is None or self._known[0] != files:
                facts = [(file.stem, facts_of(library, file)) for file in files]
                named = [VectorCount(name, fact.vectors) for name, fact in facts if fact is not None]
                made = _Counting(PromptCounter(self._tokenizer, named), PromptExplainer(self._tokenizer, named))
                self._known = files, made
            return self._known[1]


def routes(parts: Parts) -> Router:
    """The two questions."""
    router = Router(prefix="/internal/page")
    counting = TokenCounting(parts.engine, parts.styles)

    @router.post("/tokens", include_in_schema=False)
    async def tokens(request: Request) -> JSONResponse:
        asked = await read_as(request, TokenQuestion)
        answers = await run_in_threadpool(counting.answer, asked)
        return JSONResponse(answers.model_dump())

    @router.post("/explain", include_in_schema=False)
    async def explain(request: Request) -> JSONResponse:
        asked = await read_as(request, ExplainQuestion)
        return JSONResponse(await run_in_threadpool(counting.explain, asked))

    return router


def _rules(values: Mapping[str, Any]) -> PromptRules:
    """The prompt rules that the controls show; without those that the user is typing or that are no rules."""
    known = {name: value for name, value in values.items() if name in PromptRules.model_fields}
    try:
        return PromptRules.model_validate(known)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        return PromptRules.model_validate({name: value for name, value in known.items() if name not in wrong})
