"""The page."""

from webui.ui.gradio_import import without_stubs

without_stubs()  # before any module of this package imports Gradio
