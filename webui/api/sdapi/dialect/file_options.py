"""From A1111's settings to how files are written and which grids are made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.chosen import NUMBERED, PLAIN_NAME, UNFOLDED_NAME
from webui.domain.saving import Saving

FORMATS: Mapping[str, str] = MappingProxyType({"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp"})
MOST_ROWS = 1000
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "jpeg_quality": "jpeg_quality",
        "webp_lossless": "webp_lossless",
        "embed_parameters": "enable_pnginfo",
        "sidecar_text": "save_txt",
        "filename_pattern": "samples_filename_pattern",
        "folder_pattern": "directories_filename_pattern",
    }
)


@dataclass(frozen=True, slots=True)
class GridRules:
    """When a grid of a job's images is made, and what becomes of it.

    Attributes:
        rows: how many; 0: as many as the batch has images; -1: about the square root of the number of images.
        without_gaps: choose rows so that no place stays empty.
        background: colour of empty places, `#rrggbb`.
    """

    returned: bool
    saved: bool
    only_of_several: bool
    rows: int
    without_gaps: bool
    background: str
    saving: Saving


def saving_of(values: Mapping[str, Any], base: Loc = ()) -> Saving:
    """How images are written.

    Args:
        values: every setting with its value.
        base: the place of the settings in the body, for errors.

    Raises:
        InvalidBodyError: naming the setting.
    """
    in_folders = bool(values["save_to_dirs"])
    name = values["samples_filename_pattern"] or (PLAIN_NAME if in_folders else UNFOLDED_NAME)
    return _saving(
        values,
        base,
        image_format=_format(values, "samples_format", base),
        filename_pattern=(NUMBERED if values["save_images_add_number"] else "") + name,
        folder_pattern=values["directories_filename_pattern"] if in_folders else "",
    )


def grid_rules(values: Mapping[str, Any], base: Loc = ()) -> GridRules:
    """Whether and how grids are made. Arguments and errors as `saving_of`."""
    rows = values["n_rows"]
    if rows != int(rows) or not -1 <= rows <= MOST_ROWS:
        raise InvalidBodyError.at((*base, "n_rows"), f"should be a whole number from -1 to {MOST_ROWS}")
    further = "-[seed]-[prompt_spaces]" if values["grid_extended_filename"] else ""
    saving = _saving(
        values,
        base,
        image_format=_format(values, "grid_format", base),
        filename_pattern=f"grid-[number]{further}",
        folder_pattern=values["directories_filename_pattern"] if values["grid_save_to_dirs"] else "",
        number_digits=4,
    )
    return GridRules(
        returned=bool(values["return_grid"]),
        saved=bool(values["grid_save"]),
        only_of_several=bool(values["grid_only_if_multiple"]),
        rows=int(rows),
        without_gaps=bool(values["grid_prevent_empty_spots"]),
        background=colour(values, "grid_background_color", base),
        saving=saving,
    )


def colour(values: Mapping[str, Any], key: str, base: Loc = ()) -> str:
    """A colour in the form `#rrggbb`. Raises InvalidBodyError."""
    if not _COLOUR.fullmatch(values[key]):
        raise InvalidBodyError.at((*base, key), "should be a colour such as #ffffff")
    return str(values[key])


def _format(values: Mapping[str, Any], key: str, base: Loc) -> str:
    wanted = FORMATS.get(values[key].lower())
    if wanted is None:
        raise InvalidBodyError.at((*base, key), f"should be one of {', '.join(FORMATS)}")
    return wanted


def _saving(values: Mapping[str, Any], base: Loc, **fields: Any) -> Saving:
    def rename(loc: Loc) -> Loc:
        return (*base, _FIELDS.get(str(loc[0]), str(loc[0])))

    given = {name: values[key] for name, key in _FIELDS.items()}
    try:
        return Saving.model_validate({**given, **fields})
    except ValidationError as error:
        raise InvalidBodyError.of(error, rename) from None
