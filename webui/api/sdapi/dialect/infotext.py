"""The `infotext` field of a body: generation parameters that fill in what the body does not name itself."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from webui.api.body import InvalidBodyError
from webui.api.sdapi.dialect.hires_body import hires_body
from webui.domain.extensions import ExtensionInfo
from webui.domain.parameters.leaves import MISSING, value_at
from webui.domain.parameters.table import is_of_hires, keyed
from webui.output.compat import with_defaults
from webui.output.parse import parse, tells_of_hires, to_request

_OF_BODY = tuple(  # what has a name in both; what is a setting, too, counts as one
    (row, key) for row, key in keyed() if row.body and not row.option and not row.path.startswith("task.")
)
_SETTINGS = tuple(  # the model is left alone, as A1111 does by default
    (row, key)
    for row, key in keyed()
    if row.option and row.path != "checkpoint" and (is_of_hires(row) or not row.path.startswith("task."))
)
TXT2IMG_FIELDS = frozenset({*(row.body for row, _ in _OF_BODY), "enable_hr"})
IMG2IMG_FIELDS = frozenset(
    {"steps", "sampler_name", "scheduler", "seed", "subseed", "subseed_strength", "seed_resize_from_w",
     "seed_resize_from_h", "refiner_checkpoint", "refiner_switch_at"}
)  # fmt: skip


def filled_in(
    data: Mapping[str, Any], names: Collection[str], extensions: Sequence[ExtensionInfo] = ()
) -> dict[str, Any]:
    """The body with what its infotext says added; presence in the body decides, not value.

    Args:
        names: the fields that may be added; settings are, whatever it says.
        extensions: those whose samplers can be named.

    Raises:
        InvalidBodyError: the text names something that cannot be requested.
    """
    text = data.get("infotext")
    if not isinstance(text, str) or not text.strip():
        return dict(data)
    try:
        parsed = parse(text)
        request = to_request(parsed, extensions)
    except ValueError as error:  # pydantic's ValidationError is one
        raise InvalidBodyError.at(("infotext",), f"cannot be used: {error}") from None
    has_hires = tells_of_hires(parsed)
    if has_hires and "enable_hr" in names:
        data = {**hires_body(request, parsed), **data}
    fields = with_defaults(parsed)  # a missing key says what was usual when the text was written: noise of the GPU
    added = {row.body: value_at(request, row.path) for row, key in _OF_BODY if key.name in fields and row.body in names}
    settings = {
        row.option: row.option_codec.encode(value)
        for row, key in _SETTINGS
        if key.name in fields
        and (has_hires or not is_of_hires(row))
        and (value := value_at(request, row.path)) is not MISSING
    }
    given = data.get("override_settings")
    merged = {**{name: value for name, value in added.items() if value is not MISSING}, **data}
    if given is None or isinstance(given, dict):
        merged["override_settings"] = {**settings, **(given or {})}
    return merged
