"""What a request may ask of the recorder. Needs no torch."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from webui.extension_api import Options, form_hint, hint

PartName = Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z0-9_.]+$")]
MutedWord = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Token = Annotated[int, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(ge=0, le=2)]


class Muted(Options):
    """What the picture is made without; see `muting.py`."""

    words: tuple[MutedWord, ...] = Field((), max_length=8, description="words that the text encoder does not read")
    tokens: tuple[Token, ...] = Field(
        (), max_length=300, description="places in the context of the prompt that cross-attention does not hear"
    )


class RecorderOptions(Options):
    """A run is recorded where a request names this extension."""

    # the tab Learn finds by `records_runs` whom it asks for a recording
    model_config = ConfigDict(json_schema_extra={**form_hint(group="expert"), "records_runs": True})

    enabled: bool = Field(
        False,
        description="record the first picture of the run for the tab Learn",
        json_schema_extra=hint(control="master"),
    )
    self_attention: bool = Field(
        False,
        description="record also where each place of the picture looks",
        json_schema_extra=hint(control="hidden"),
    )
    blocks: dict[PartName, Scale] = Field(
        default_factory=dict,
        max_length=46,
        description="what each part of the network adds, times this: 0 leaves it out, 1 changes nothing",
        json_schema_extra=hint(control="hidden"),
    )
    muted: Muted = Field(
        default_factory=Muted,
        description="words and tokens that the picture is made without",
        json_schema_extra=hint(control="hidden"),
    )

    @property
    def changed_blocks(self) -> dict[str, float]:
        """Those that do not stay as they are."""
        return {name: scale for name, scale in self.blocks.items() if scale != 1}

    @property
    def changes_picture(self) -> bool:
        """Whether the picture is made otherwise than without this extension."""
        return bool(self.changed_blocks or self.muted.words or self.muted.tokens)
