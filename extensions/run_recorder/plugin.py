"""The hooks that the program calls first: the options, and the object that joins a job. Needs no torch."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from webui.extension_api import Dialect, JobContext, Options, Word, form_hint, hint, hookimpl

PartName = Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z0-9_.]+$")]
Scale = Annotated[float, Field(ge=0, le=2)]


class RecorderOptions(Options):
    """A run is recorded where a request names this extension."""

    # the tab Learn finds by `records_runs` whom it asks for a recording
    model_config = ConfigDict(json_schema_extra={**form_hint(group="expert"), "records_runs": True})

    enabled: bool = Field(
        False,
        description="record the first picture of the run for the tab Learn",
        json_schema_extra=hint(control="master"),
    )
    blocks: dict[PartName, Scale] = Field(
        default_factory=dict,
        max_length=46,
        description="what each part of the network adds, times this: 0 leaves it out, 1 changes nothing",
        json_schema_extra=hint(control="hidden"),
    )


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return RecorderOptions


@hookimpl
def dialect() -> Dialect:
    """The key of infotexts. That a run was recorded leaves its picture as it is, and is not written."""
    return Dialect(infotext=(Word(name="Block scales", option="blocks", codec="object"),))


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for a recording, or for other scales of parts."""
    options = job.options
    if not isinstance(options, RecorderOptions) or not (options.enabled or _changed(options.blocks)):
        return None
    from .recorder import Recorder, Scaling  # loads torch

    scaling = Scaling(_changed(options.blocks))
    return Recorder(job, scaling) if options.enabled else scaling


def _changed(blocks: Mapping[str, float]) -> dict[str, float]:
    """Those that do not stay as they are."""
    return {name: scale for name, scale in blocks.items() if scale != 1}
