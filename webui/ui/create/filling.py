"""Fills the form from generation parameters: an infotext of this program or A1111's, or the text of another program."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block

from webui.domain.parameters.leaves import MISSING, value_at
from webui.domain.parameters.table import row_of
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.experiments.axis_choice import axes_of
from webui.experiments.told_plan import told_plan
from webui.output.parse import parse, read_fields, told_values
from webui.ui import forms, model_choices
from webui.ui.create.form import Form, updated

if TYPE_CHECKING:
    from webui.engine.engine import Engine

MOST_IMAGES, MOST_STYLES = 1000, 100  # as requests allow
PROMPTS = ("prompt", "negative_prompt")
Updates = dict[Block, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a text changes on the page.

    Attributes:
        updates: of the form's controls.
        told: a sentence for each thing that could not be used, or that is not as the text has it.
        plan: of the experiment that the text tells of, as `static/experiment_plan.js` makes it; None: of none.
    """

    updates: Updates = field(default_factory=dict)
    told: tuple[str, ...] = ()
    plan: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Filling:
    """Fills one form."""

    engine: "Engine"
    form: Form

    def text(self, text: str, checkpoint: str | None, only: Iterable[str] | None = None) -> Filled:
        """The form as a text describes it. Text without a line of parameters is a prompt and changes the prompts only.

        Args:
            text: generation parameters.
            checkpoint: the one that is chosen now; it stays where the text names none that is here.
            only: the paths of fields or of parts (`task.hires`) to be filled; None: all.
        """
        fields = parse(text)
        names = self._names(PROMPTS if set(fields) <= {"Prompt", "Negative prompt"} else only)
        reading = read_fields(fields, self.engine.extensions.infos)
        filled = self.request(reading.request, checkpoint, names)
        of_pictures = {
            path: value for path, value in told_values(fields).items() if self._is_beside(reading.request, path)
        }
        used = {} if names is not None and only is None else {
            path: value for path, value in of_pictures.items() if names is None or path in names
        }  # fmt: skip
        updates = {**filled.updates, **self._beside(used)}
        if only is not None:
            return Filled(updates)
        axes = axes_of(reading.request.task.kind, self.engine.surroundings())
        plan, missing = told_plan(fields, axes)
        return Filled(updates, (*filled.told, *_sentences(reading.notices, used), *missing), plan)

    def request(self, request: GenerationRequest, checkpoint: str | None, names: Sequence[str] | None = None) -> Filled:
        """The form as a request has it; other arguments as in `text`."""
        shown, missing = model_choices.as_shown(self.engine.library, request, checkpoint or "")
        is_asked = names is None or "checkpoint" in names
        return Filled(self.form.show(shown, names), (missing,) if missing and is_asked else ())

    def beside(self, values: Any) -> Updates:
        """Updates for what no text tells of a job: how many pictures, and the styles by their names.

        Args:
            values: as a browser sent them, by path; what is not of that kind is left out.
        """
        told = values if isinstance(values, Mapping) else {}
        updates: Updates = {}
        for name in ("batch_size", "n_iter"):
            number = told.get(name)
            if isinstance(number, int) and 1 <= number <= MOST_IMAGES:
                updates[self.form.controls[name]] = updated(self.form.controls[name], number)
        if isinstance(styles := told.get("styles"), list):
            updates[self.form.controls["styles"]] = gr.update(value=[str(name) for name in styles[:MOST_STYLES]])
        return updates

    def _names(self, only: Iterable[str] | None) -> tuple[str, ...] | None:
        """The fields of the form that are meant by paths of fields or parts."""
        if only is None:
            return None
        wanted = tuple(only)
        return tuple(
            name for name in self.form.controls if any(name == one or name.startswith(f"{one}.") for one in wanted)
        )

    def _is_beside(self, request: GenerationRequest, path: str) -> bool:
        """Whether the form has a place for something that only a request with a picture has."""
        is_drawn = path in self.form.controls or any(path == part.optional for part in self.form.parts)
        return is_drawn and value_at(request, path) is MISSING

    def _beside(self, values: dict[str, Any]) -> Updates:
        """Updates of what a request without a picture has no place for; parts that are told of are switched on."""
        schemas = forms.request_leaves()
        updates: Updates = {
            self.form.controls[path]: updated(self.form.controls[path], forms.shown(value, schemas[path]))
            for path, value in values.items()
            if path in self.form.controls
        }
        for part in self.form.parts:
            if not values.keys().isdisjoint((*part.fields, part.optional)):
                updates[part.switch] = updated(part.switch, True)
        return updates


def _sentences(notices: Sequence[Notice], used: Iterable[str]) -> tuple[str, ...]:
    """The notices as sentences, but for those of keys that were used after all."""
    keys = [row_of(path).key for path in used]
    names = {name for key in keys if key is not None for name in (key.name, *key.also)}
    kept = [one.text for one in notices if one.text.partition(":")[0] not in names]
    told = ("It tells of a picture that it was made from: put one on the canvas of img2img.",) if names else ()
    return (*told, *kept)
