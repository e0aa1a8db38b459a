"""Connects the form: Generate, filling, keeping, and the small tools beside the controls."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.ui import own_size
from webui.ui.create import experiment, keeping, saying, settings_pane
from webui.ui.create.creation import Values
from webui.ui.create.experiment import ExperimentFace
from webui.ui.create.filling import Filling, Updates
from webui.ui.create.keeping import Kept
from webui.ui.create.settings_pane import RATIOS, Group, Tools
from webui.ui.create.submit import Submission
from webui.ui.events import bind
from webui.ui.layout import Pen
from webui.ui.own import own, unseen

FORM = "window.webui.form"
PLANNED = "window.webui.experiment?.submitted() ?? ''"
FILLED = "The form is filled from these parameters. Undo (Ctrl+Alt+Z) brings back what it was."
LONGEST = 200_000  # characters of a text that fills the form
EVENTS = ("ready", "undo", "redo", "reset", "take", "fill", "enlarge")  # what `static/form.js` triggers


@dataclass(frozen=True, slots=True)
class Drawn:
    """The form as it was drawn.

    Attributes:
        heading: drawn by `static/form.js`, and triggers its events.
        sent: holds, hidden, what the form shows at a press of Generate.
        said: the hidden box of `saying`.
        trained: a hidden box for the size that the checkpoint was trained for.
        experiment: the other face of the pane.
    """

    pen: Pen
    tools: Tools
    heading: gr.HTML
    sent: gr.HTML
    said: gr.Textbox
    trained: gr.Textbox
    experiment: ExperimentFace


def draw(pen: Pen, extensions: Callable[[Group], bool] = lambda group: False) -> Drawn:
    """Draw the pane of settings inside the caller's container; arguments as in `settings_pane.draw`."""
    face = experiment.draw()
    heading = own("form", elem_id="create_form", events=EVENTS)
    tools = settings_pane.draw(pen, extensions)
    sent = unseen("form_sent")
    return Drawn(pen, tools, heading, sent, saying.draw(), own_size.draw(), face)


def connect(drawn: Drawn, submission: Submission, filling: Filling, generate: gr.Button, kept: Kept) -> Any:
    """Give everything in the form its work; all its controls must be drawn already.

    Returns:
        The event of Generate, after which more can be done.
    """
    drawn.heading.value = {"names": [*kept.controls], "drawn": kept.drawn(), "remembered": [*kept.remembered]}
    experiment.name_controls(drawn.experiment, submission.create.form.controls)
    keeping.connect(kept, drawn.heading)
    _connect_tools(drawn)
    _connect_filling(drawn, filling)
    _connect_checkpoint(drawn)
    return _connect_generate(drawn, submission, generate)


def _connect_tools(drawn: Drawn) -> None:
    """The buttons that set a control: the browser does it alone."""
    tools, controls, trained = drawn.tools, drawn.pen.controls, drawn.trained
    size = [controls["width"], controls["height"]]
    bind(tools.swap.click, None, size, size, js="(width, height) => [height, width]")
    bind(tools.picture_size.click, None, size, size, js=f"(...size) => {FORM}.pictureSize(...size)")
    bind(tools.ratio.input, None, [tools.ratio, trained, *size], size, js=f"(...v) => {FORM}.sized(...v)")
    shown = f"(...v) => {FORM}?.ratio(...v, {json.dumps(RATIOS)}) ?? null"
    heading: Any = drawn.heading
    changes: list[Any] = [one.change for one in (*size, trained) if hasattr(one, "change")]
    for event in (heading.ready, partial(gr.on, changes)):
        bind(event, None, [*size, trained], [tools.ratio], js=shown, trigger_mode="always_last")
    for name, dice, reuse in (
        ("seed", tools.seed_dice, tools.seed_reuse),
        ("subseed", tools.subseed_dice, tools.subseed_reuse),
    ):
        bind(dice.click, None, None, [controls[name]], js="() => '-1'")
        bind(reuse.click, None, [controls[name]], [controls[name]], js=f"(now) => {FORM}.seed('{name}', now)")


def _connect_checkpoint(drawn: Drawn) -> None:
    """The browser knows the chosen checkpoint, to which a preset may belong."""
    checkpoint: Any = drawn.pen.controls["checkpoint"]
    heading: Any = drawn.heading
    known = f"(name) => {{ if ({FORM}) {FORM}.checkpoint = name ?? ''; return []; }}"
    for event in (heading.ready, checkpoint.change):
        bind(event, None, [checkpoint], [], js=known)


def _connect_generate(drawn: Drawn, submission: Submission, generate: gr.Button) -> Any:
    """Each press is a job. The canvas is asked for its layers at this moment, and uploads what the server lacks; so is
    the experiment for its plan.

    The values go to the server as one: Gradio tells the state of an event to each of its inputs once it is done, and
    from then on again whenever any event begins or ends.
    """
    create = submission.create
    ordered = sorted(submission.components, key=lambda component: component._id)  # as Gradio orders a set
    mode, canvas = ordered.index(create.mode), ordered.index(create.canvas)
    plan = "" if submission.plan is None else f"v[{ordered.index(submission.plan)}] = {PLANNED}; "
    gather = f"v[{mode}] = {FORM}.mode; {plan}v[{canvas}] = await {FORM}.drawing(); return v;"
    script = f"(...v) => {FORM}.sending(async () => {{ {gather} }})"
    gathered = bind(generate.click, None, ordered, [drawn.sent], js=script, trigger_mode="multiple")

    async def submit(sent: list[Any], sender: gr.Request) -> str:
        number, values = sent
        said = await submission.submit(dict(zip(ordered, values, strict=True)), sender)
        return saying.answer_to(number, said)

    # Values arrive unchecked, so that the request alone checks them and its error names the field.
    done = bind(gathered.then, submit, [drawn.sent], [drawn.said], preprocess=False, trigger_mode="multiple")
    _tell_answer(done, drawn.said)

    async def enlarge(values: Values, event: gr.EventData, sender: gr.Request) -> str:
        picture, text = str(getattr(event, "picture", "")), str(getattr(event, "text", ""))
        said = await submission.enlarge(values, picture, text, sender)
        return saying.answer_to(int(getattr(event, "sent", 0)), said)

    heading: Any = drawn.heading
    more = {"preprocess": False, "trigger_mode": "multiple"}
    _tell_answer(bind(heading.enlarge, enlarge, {*ordered}, [drawn.said], **more), drawn.said)
    return done


def _tell_answer(done: Any, said: Component) -> None:
    """Have the page say what is answered to something that was sent, and know it when nothing is."""
    saying.tell(done, said)
    bind(done.failure, None, None, None, js=f"() => {{ {FORM}?.unanswered(); }}")


def _connect_filling(drawn: Drawn, filling: Filling) -> None:
    checkpoint = drawn.pen.controls["checkpoint"]

    def fill(values: Values, event: gr.EventData) -> Updates:
        text, only = str(getattr(event, "text", ""))[:LONGEST], getattr(event, "only", None)
        filled = filling.text(text, values[checkpoint], None if only is None else [*map(str, only)])
        told = filled.told if only is not None else (FILLED, *filled.told)
        beside = filling.beside(getattr(event, "beside", None))
        return {**filled.updates, **beside, drawn.said: saying.notice("\n".join(told), filled.plan)}

    ready: Any = drawn.heading
    outputs: list[Component] = [*filling.form.components, drawn.said]
    saying.tell(bind(ready.fill, fill, {checkpoint}, outputs, preprocess=False, trigger_mode="multiple"), drawn.said)
