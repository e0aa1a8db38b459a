"""`internal/page/tokens`: how many tokens the prompts take, for the counters. `prompt/counting.py` counts."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import read_as
from webui.api.parts import Parts
from webui.domain.errors import WebuiError
from webui.domain.request import PromptRules
from webui.engine.engine import Engine
from webui.library.choice import likely_family
from webui.library.embeddings import facts_of
from webui.library.files import ModelFile
from webui.prompt.counting import PromptCounter, VectorCount
from webui.prompt.styles import Style, merge_styles
from webui.prompt.tokenize import ClipTokenizer

MAX_PROMPT = 32_000  # characters, as the request allows
MAX_STYLES = 200
MAX_STEPS = 150
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


class TokenCounting:
    """Counts prompts for every visitor: one tokenizer, and the embeddings that are there now."""

    def __init__(self, engine: Engine, styles: Styles) -> None:
        self._engine = engine
        self._styles = styles
        self._lock = threading.Lock()
        self._tokenizer: ClipTokenizer | None = None
        self._known: tuple[tuple[ModelFile, ...], PromptCounter] | None = None

    def answer(self, asked: TokenQuestion) -> TokenAnswers:
        """Both counts, with the styles merged in."""
        prompts = asked.prompt, asked.negative
        try:
            merged = merge_styles(*prompts, asked.styles, self._styles())
        except WebuiError:  # a file of styles is damaged: the picker of styles says so
            merged = prompts
        counter = self._counter()
        checkpoint = asked.checkpoint or self._engine.starting_values().checkpoint
        size = likely_family(self._engine.library, checkpoint).text.chunk
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

    def _counter(self) -> PromptCounter:
        """The counter that knows the embeddings listed now; their files are opened once for each listing."""
        library = self._engine.library
        files = tuple(file for file in library.embeddings() if file.usable)
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = ClipTokenizer()
            if self._known is None or self._known[0] != files:
                facts = [(file.stem, facts_of(library, file)) for file in files]
                named = [VectorCount(name, fact.vectors) for name, fact in facts if fact is not None]
                self._known = files, PromptCounter(self._tokenizer, named)
            return self._known[1]


def routes(parts: Parts) -> APIRouter:
    """The one question."""
    router = APIRouter(prefix="/internal/page")
    counting = TokenCounting(parts.engine, parts.styles)

    @router.post("/tokens", include_in_schema=False)
    async def tokens(request: Request) -> JSONResponse:
        asked = await read_as(request, TokenQuestion)
        answers = await run_in_threadpool(counting.answer, asked)
        return JSONResponse(answers.model_dump())

    return router


def _rules(values: Mapping[str, Any]) -> PromptRules:
    """The prompt rules that the controls show; without those that the user is typing or that are no rules."""
    known = {name: value for name, value in values.items() if name in PromptRules.model_fields}
    try:
        return PromptRules.model_validate(known)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        return PromptRules.model_validate({name: value for name, value in known.items() if name not in wrong})
