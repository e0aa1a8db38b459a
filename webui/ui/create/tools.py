"""Small buttons beside controls."""

import gradio as gr


def tool(text: str, elem_id: str) -> gr.Button:
    """A quiet button: square where its text is a sign, as wide as its words otherwise."""
    return gr.Button(text, elem_id=elem_id, elem_classes="tool" if len(text) <= 2 else "quiet", scale=0, min_width=0)
