"""Rows of enlarging finished pictures, which has a text and routes of its own and so no keys here."""

from webui.domain.parameters.row import Row

_OWN_TEXT = "pictures that are enlarged keep their text; how they were enlarged is told in one of its own"

UPSCALING: tuple[Row, ...] = (
    Row("task.images", why_no_key=_OWN_TEXT),
    Row("task.infotexts", why_no_key=_OWN_TEXT),
    Row("task.upscaler", why_no_key=_OWN_TEXT),
    Row("task.second_upscaler", why_no_key=_OWN_TEXT),
    Row("task.second_visibility", why_no_key=_OWN_TEXT),
    Row("task.mode", why_no_key=_OWN_TEXT),
    Row("task.scale", why_no_key=_OWN_TEXT),
    Row("task.max_side", why_no_key=_OWN_TEXT),
    Row("task.width", why_no_key=_OWN_TEXT),
    Row("task.height", why_no_key=_OWN_TEXT),
    Row("task.crop", why_no_key=_OWN_TEXT),
    Row("task.in_eights", why_no_key=_OWN_TEXT),
)
