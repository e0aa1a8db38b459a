"""Token counters beside the prompt boxes. They follow the user's typing. `prompt/counting.py` counts."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component
from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest, PromptRules
from webui.library.choice import likely_family
from webui.library.embeddings import facts_of
from webui.library.files import ModelFile
from webui.prompt.counting import PromptCounter, VectorCount, unmatched
from webui.prompt.styles import Style, merge_styles
from webui.prompt.tokenize import ClipTokenizer
from webui.ui import markup
from webui.ui.events import bind, bind_load
from webui.ui.layout import Pen

if TYPE_CHECKING:
    from webui.engine.engine import Engine

PAUSE = 0.3  # seconds; meanwhile the browser keeps only the latest change
RULES = "prompting."
MAX_STEPS = 150
Styles = Callable[[], Mapping[str, Style]]


class Counting:
    """Counts prompts for every visitor of the page: one tokenizer, and the embeddings that are there now."""

    def __init__(self, engine: "Engine", styles: Styles) -> None:
        self._engine = engine
        self._library = engine.library
        self._styles = styles
        self._lock = threading.Lock()
        self._tokenizer: ClipTokenizer | None = None
        self._known: tuple[tuple[ModelFile, ...], PromptCounter] | None = None

    def shown(self, prompts: tuple[str, str], styles: list[str], steps: int, rules: PromptRules) -> tuple[str, str]:
        """Both counters as HTML; for a prompt with an error they show the error."""
        try:
            merged = merge_styles(*prompts, styles, self._styles())
        except WebuiError:  # styles.csv is damaged: the tab says so when a picture is made
            merged = prompts
        counter = self._counter()
        size = likely_family(self._library, self._engine.starting_values().checkpoint).text.chunk
        texts = []
        for negative, (typed, whole) in enumerate(zip(prompts, merged, strict=True)):
            try:
                count = counter.count(whole, size=size, steps=steps, rules=rules, negative=bool(negative))
            except WebuiError as error:
                texts.append(markup.token_counter("?", str(error)))
                continue
            pairs = unmatched(typed)
            texts.append(markup.token_counter(f"{count.used}/{count.limit}", f"Unmatched: {pairs}" if pairs else ""))
        return texts[0], texts[1]

    def _counter(self) -> PromptCounter:
        """The counter that knows the embeddings listed now; their files are opened once for each listing."""
        files = tuple(file for file in self._library.embeddings() if file.usable)
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = ClipTokenizer()
            if self._known is None or self._known[0] != files:
                facts = [(file.stem, facts_of(self._library, file)) for file in files]
                named = [VectorCount(name, fact.vectors) for name, fact in facts if fact is not None]
                self._known = files, PromptCounter(self._tokenizer, named)
            return self._known[1]


def draw(pen: Pen, name: str) -> gr.HTML:
    """Draw a counter inside the caller's Blocks, below its box. The style sheet moves it into the corner of the box.

    It is filled when the page has loaded.
    """
    return gr.HTML(markup.token_counter("0"), elem_id=pen.id(name), elem_classes="token-counter", padding=False)


def connect(pen: Pen, counters: tuple[gr.HTML, gr.HTML], counting: Counting) -> None:
    """Let the counters follow prompts and styles."""
    controls = pen.controls
    rules = {name.removeprefix(RULES): control for name, control in controls.items() if name.startswith(RULES)}
    read = {controls[name] for name in ("prompt", "negative_prompt", "styles", "steps")} | {*rules.values()}

    async def count(values: Mapping[Component, Any]) -> dict[Component, str]:
        await asyncio.sleep(PAUSE)
        prompts = values[controls["prompt"]] or "", values[controls["negative_prompt"]] or ""
        steps = values[controls["steps"]]
        steps = int(min(max(steps, 1), MAX_STEPS)) if isinstance(steps, int | float) else MAX_STEPS
        chosen = _rules({name: values[control] for name, control in rules.items()})
        texts = await asyncio.to_thread(counting.shown, prompts, values[controls["styles"]] or [], steps, chosen)
        return dict(zip(counters, texts, strict=True))

    for name in ("prompt", "negative_prompt", "styles"):
        control: Any = controls[name]
        bind(control.change, count, read, list(counters), preprocess=False)


def connect_load(
    counters: tuple[gr.HTML, gr.HTML], counting: Counting, starting: Callable[[], GenerationRequest]
) -> None:
    """Count the starting prompts when the page is loaded."""

    def count() -> tuple[str, str]:
        now = starting()
        return counting.shown((now.prompt, now.negative_prompt), list(now.styles), now.steps, now.prompting)

    bind_load(count, counters)


def _rules(values: Mapping[str, Any]) -> PromptRules:
    """The prompt rules that the controls show; the default ones while the user is typing in a control."""
    try:
        return PromptRules.model_validate(values)
    except ValidationError:
        return PromptRules()
