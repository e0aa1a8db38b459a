"""The options of restoring faces. It needs no torch."""

from pydantic import ConfigDict, Field

from webui.extension_api import Options, form_hint, hint


class FaceOptions(Options):
    """GFPGAN works first, then CodeFormer, each where its visibility is above 0."""

    model_config = ConfigDict(
        json_schema_extra=form_hint(
            group="quality", summary="CodeFormer {codeformer_visibility}, GFPGAN {gfpgan_visibility}"
        )
    )

    codeformer_visibility: float = Field(
        1.0,
        ge=0,
        le=1,
        title="CodeFormer visibility",
        description="share of CodeFormer's faces in the picture",
        json_schema_extra=hint(needs=["detector", "codeformer"]),
    )
    codeformer_weight: float = Field(
        0.5,
        ge=0,
        le=1,
        title="CodeFormer weight",
        description="0 restores most, 1 stays closest to the face",
    )
    gfpgan_visibility: float = Field(
        0.0,
        ge=0,
        le=1,
        title="GFPGAN visibility",
        description="share of GFPGAN's faces in the picture",
        json_schema_extra=hint(needs=["detector", "gfpgan"]),
    )
    gfpgan_model: str = Field(
        "",
        max_length=200,
        title="GFPGAN model",
        description="a file of models/GFPGAN; empty takes the newest GFPGAN",
        json_schema_extra=hint(level="more", labels={"": "The newest"}),
    )


class NoOptions(Options):
    """The (empty) options of the action that lists restorers."""
