"""A1111's settings over the table of fields: which field of a request each one becomes.

`GET/POST /sdapi/v1/options` and `override_settings` both read this table; the routes stand in `settings.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webui.api.sdapi.dialect.known_settings import KNOWN
from webui.domain.parameters.row import Row
from webui.domain.parameters.table import ROWS, default_of
from webui.domain.request import GenerationRequest

CHECKPOINT = "sd_model_checkpoint"
CHECKPOINT_HASH = "sd_checkpoint_hash"  # shown beside it
REFINER_BY_STEPS = "refiner_switch_by_sample_steps"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of A1111.

    Attributes:
        key: A1111's name of it.
        path: dotted path of the request field.
        decode: from A1111's value to the field's; `encode` is the way back.
    """

    key: str
    path: str
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


def _is_of_one_task(row: Row) -> bool:
    """Whether the field is part of something that a request asks for, and so no starting value."""
    return row.path.startswith(("task.", "refiner."))


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        row.option: Option(row.option, row.path, row.option_codec.decode, row.option_codec.encode)
        for row in ROWS
        if row.option and not _is_of_one_task(row)
    }
)
TASK_ROWS: Mapping[str, Row] = MappingProxyType(
    {row.option: row for row in ROWS if row.option and _is_of_one_task(row)}
)
OF_ONE_TASK: Mapping[str, Any] = MappingProxyType(  # each with its default
    {key: row.option_codec.encode(default_of(row.path)) for key, row in TASK_ROWS.items()}
)

# Words that extensions honour (honoured.py): known where there is no such extension, too.
OF_EXTENSIONS: Mapping[str, Any] = MappingProxyType(
    {"face_restoration": False, "face_restoration_model": "CodeFormer", "code_former_weight": 0.5}
)


def is_known(key: str) -> bool:
    """Whether A1111, or an extension that comes with it, has a setting of that name."""
    return key in OPTIONS or key in OF_ONE_TASK or key in OF_EXTENSIONS or key in KNOWN


def with_a1111_defaults(starting: GenerationRequest) -> GenerationRequest:
    """The starting values with A1111's default where the user chose nothing and ours is another.

    Clients of this API expect the noise source that A1111 has (`GPU`; the same numbers as CPU where there is no GPU).
    """
    if "source" in starting.noise.model_fields_set:
        return starting
    return starting.model_copy(update={"noise": starting.noise.model_copy(update={"source": "GPU"})})
