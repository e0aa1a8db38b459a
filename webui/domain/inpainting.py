"""What a request says of inpainting and outpainting. How it is done is in `webui/imaging` and `webui/processing`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from webui.domain.fields import Frozen, finite
from webui.domain.masks import MaskField

Measure = Annotated[int | float, AfterValidator(finite)]  # written to infotexts as it was sent: 4 or 4.0
MAX_SIDE = 8192  # pixels of a request's width and height


class SoftInpainting(Frozen):
    """Blend by degrees instead of all or nothing, and mask by how much the picture changed."""

    schedule_bias: Measure = Field(1, ge=0, le=8, description="when detail is preserved: early or late steps")
    preservation: Measure = Field(0.5, ge=0, le=8, description="how strongly half masked parts are preserved")
    contrast_boost: Measure = Field(4, ge=1, le=32, description="how much contrast the transition keeps")
    mask_influence: Measure = Field(0, ge=0, le=1, description="how much the mask itself decides what is kept")
    difference_threshold: Measure = Field(0.5, ge=0, le=8, description="a change this large is half kept")
    difference_contrast: Measure = Field(2, ge=0, le=8, description="how sharp the difference threshold is")


class Inpainting(Frozen):
    """Only where the mask is white may the picture change."""

    mask: MaskField
    mask_blur_x: int = Field(4, ge=0, le=256, description="standard deviation in pixels")
    mask_blur_y: int = Field(4, ge=0, le=256, description="standard deviation in pixels")
    mask_round: bool = Field(True, description="a latent cell is repainted or it is not")
    invert: bool = Field(False, description="repaint what is not masked")
    content: Literal["fill", "original", "noise", "nothing"] = Field(
        "original", description="what the masked part holds before noise is added to it"
    )
    area: Literal["whole", "masked"] = Field("whole", description="masked: work on the mask's surroundings alone")
    padding: int = Field(32, ge=0, le=4096, description="pixels around the mask that area masked works on")
    overlay: bool = Field(True, description="put the original back where the mask protects it")
    soft: SoftInpainting | None = None
    return_mask: bool = Field(False, description="give the mask back beside each picture")
    return_composite: bool = Field(False, description="give what was painted back beside each picture")

    @property
    def rounded(self) -> bool:
        """Whether latent cells are repainted wholly or not at all; never so with soft inpainting."""
        return self.mask_round and self.soft is None


class Outpainting(Frozen):
    """Grow the picture: pixels to add on each side. The size of the request follows the picture's."""

    left: int = Field(0, ge=0, le=2048)
    right: int = Field(0, ge=0, le=2048)
    top: int = Field(0, ge=0, le=2048)
    bottom: int = Field(0, ge=0, le=2048)
    mask_blur: int = Field(8, ge=0, le=64, description="pixels over which new and old parts fade into each other")
    content: Literal["fill", "original", "noise", "nothing"] = Field(
        "fill", description="what the new parts hold before noise is added to them; original: stretched borders"
    )

    @model_validator(mode="after")
    def _grows(self) -> "Outpainting":
        if not (self.left or self.right or self.top or self.bottom):
            raise ValueError("asks for no new pixels on any side; set left, right, top or bottom")
        return self
