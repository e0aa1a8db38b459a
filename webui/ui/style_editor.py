"""The editor of saved styles below the prompts: a style can be saved under a name, changed, deleted, or applied.

`prompt/style_file.py` reads and writes the file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.prompt.style_file import MAX_TEXT, StyleFile
from webui.prompt.styles import Style, merge_styles
from webui.ui import markup
from webui.ui.events import bind, bind_load
from webui.ui.layout import Pen

Updates = dict[Block, Any]
Values = Mapping[Component, Any]


@dataclass(frozen=True, slots=True)
class Editor:
    """The editor of one tab, and the tab's own prompts and chosen styles."""

    open: gr.Button
    apply: gr.Button
    panel: gr.Column
    shown: gr.State  # whether the panel is open
    name: gr.Dropdown
    prompt: gr.Textbox
    negative: gr.Textbox
    copy: gr.Button
    save: gr.Button
    delete: gr.Button
    status: gr.HTML
    prompts: tuple[Component, Component]
    chosen: Component

    @property
    def inputs(self) -> set[Component]:
        return {self.name, self.prompt, self.negative, self.shown, *self.prompts, self.chosen}


def draw_buttons(pen: Pen) -> tuple[gr.Button, gr.Button]:
    """The buttons that open the editor and apply what is chosen, inside the caller's row."""
    edit = gr.Button("✎ Edit styles", size="sm", elem_id=pen.id("styles_edit_button"), elem_classes="quiet")
    apply = gr.Button("✓ Apply styles", size="sm", elem_id=pen.id("style_apply"), elem_classes="quiet")
    return edit, apply


def draw(pen: Pen, buttons: tuple[gr.Button, gr.Button], names: Sequence[str]) -> Editor:
    """The panel, closed, inside the caller's Blocks; the prompts and the list of styles must be drawn already."""
    with gr.Column(visible=False, elem_id=pen.id("styles_editor"), elem_classes="styles-editor") as panel:
        with gr.Row(elem_classes="tight"):
            name = gr.Dropdown(
                list(names), value=None, label="Name of the style", info="choose one, or type a new name",
                allow_custom_value=True, elem_id=pen.id("style_name"), scale=2, min_width=180,
            )  # fmt: skip
            prompt = gr.Textbox(
                label="Its prompt", info="{prompt} stands for what is typed; without it the two are joined by a comma",
                lines=2, max_length=MAX_TEXT, elem_id=pen.id("style_prompt"), scale=4, min_width=240,
            )  # fmt: skip
            negative = gr.Textbox(
                label="Its negative prompt", info="joined to the other negative prompt in the same way", lines=2,
                max_length=MAX_TEXT, elem_id=pen.id("style_neg_prompt"), scale=4, min_width=240,
            )  # fmt: skip
        with gr.Row(elem_classes="tight"):
            plain: dict[str, Any] = {"size": "sm", "scale": 0, "min_width": 140}
            save = gr.Button("Save", variant="primary", elem_id=pen.id("style_save"), **plain)
            copy = gr.Button("Copy the prompts", elem_id=pen.id("style_copy"), **plain)
            delete = gr.Button("Delete", elem_id=pen.id("style_delete"), **plain)
        status = gr.HTML(elem_id=pen.id("style_status"))
    controls = pen.controls
    prompts = controls["prompt"], controls["negative_prompt"]
    return Editor(
        *buttons, panel, gr.State(False), name, prompt, negative, copy, save, delete, status, prompts,
        controls["styles"],
    )  # fmt: skip


def connect(editors: Sequence[Editor], styles: StyleFile) -> None:
    """Give the editors of all tabs their work; a change shows in the lists of every tab, and on every later load."""
    lists = [one for editor in editors for one in (editor.chosen, editor.name)]

    def listed() -> Updates:
        return dict.fromkeys(lists, gr.update(choices=list(styles.names())))

    for editor in editors:
        _connect(editor, styles, lists, listed)
    bind_load(listed, lists)


def _connect(editor: Editor, styles: StyleFile, lists: Sequence[Block], listed: Callable[[], Updates]) -> None:
    texts = [editor.prompt, editor.negative]

    def toggle(values: Values) -> Updates:
        """Open the editor, with the present prompts where it is still empty."""
        empty = not values[editor.prompt] and not values[editor.negative]
        opened = not values[editor.shown]
        copied = _copied(editor, values) if opened and empty else {}
        return {editor.panel: gr.update(visible=opened), editor.shown: opened, **copied}

    def show(name: str | None) -> Any:
        """Show the texts of a saved style; with a new name the typed texts stay."""
        style = _known(styles).get(name or "")
        return (style.prompt, style.negative_prompt) if style else (gr.skip(), gr.skip())

    def save(values: Values) -> Updates:
        name = (values[editor.name] or "").strip()
        style = Style(name, values[editor.prompt] or "", values[editor.negative] or "")
        styles.save(style)
        return {editor.status: markup.message("done", f"Saved: {name}"), **listed()}

    def delete(values: Values) -> Updates:
        name = (values[editor.name] or "").strip()
        if not styles.delete(name):
            return {editor.status: markup.message("notice", f"There is no style {name!r}."), **listed()}
        kept = [one for one in values[editor.chosen] or [] if one != name]
        return {
            **dict.fromkeys(texts, ""),
            **listed(),
            editor.status: markup.message("done", f"Deleted: {name}. What the file was before is in styles.csv.bak."),
            editor.name: gr.update(choices=list(styles.names()), value=None),
            editor.chosen: gr.update(choices=list(styles.names()), value=kept),
        }

    def apply(values: Values) -> Updates:
        typed = [values[prompt] or "" for prompt in editor.prompts]
        merged = merge_styles(typed[0], typed[1], values[editor.chosen] or [], styles.read())
        return {**dict(zip(editor.prompts, merged, strict=True)), editor.chosen: []}

    def told(handler: Callable[[Values], Updates]) -> Callable[[Values], Updates]:
        def handled(values: Values) -> Updates:
            try:
                return handler(values)
            except WebuiError as error:
                return {editor.status: markup.message("error", str(error)), **_opened(editor)}

        return handled

    def bound(button: gr.Button, handler: Callable[[Values], Updates], outputs: Sequence[Block]) -> None:
        always = [editor.status, editor.panel, editor.shown]
        every = [*dict.fromkeys([*outputs, *always])]
        bind(button.click, told(handler), editor.inputs, every, preprocess=False)

    bound(editor.open, toggle, texts)
    bound(editor.copy, lambda values: _copied(editor, values), texts)
    bound(editor.save, save, lists)
    bound(editor.delete, delete, [*lists, *texts])
    bound(editor.apply, apply, [*editor.prompts, editor.chosen])
    bind(editor.name.input, show, [editor.name], texts, preprocess=False)


def _opened(editor: Editor) -> Updates:
    return {editor.panel: gr.update(visible=True), editor.shown: True}


def _copied(editor: Editor, values: Values) -> Updates:
    return {box: values[prompt] for box, prompt in zip((editor.prompt, editor.negative), editor.prompts, strict=True)}


def _known(styles: StyleFile) -> Mapping[str, Style]:
    try:
        return styles.read()
    except WebuiError:  # the user is told when something is saved, deleted or applied
        return {}
