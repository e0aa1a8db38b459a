"""Enlarging finished pictures ("Extras") as a user asks for it. Carried out in `processing/extras_job.py`."""

from typing import Literal

from pydantic import Field, model_validator

from webui.domain.fields import MAX_SIDE, Frozen, Name, Number, Text
from webui.domain.images import MAX_PIXELS, ClearImageField

MAX_PICTURES = 100
PLAIN_UPSCALERS = ("None", "Lanczos", "Nearest")  # those without a model; "None" leaves the picture as it is


class Upscale(Frozen):
    """Enlarge pictures without sampling; of the request around it only this part counts."""

    kind: Literal["upscale"] = "upscale"
    images: tuple[ClearImageField, ...] = Field(min_length=1, max_length=MAX_PICTURES)
    infotexts: tuple[Text, ...] = Field(
        (), max_length=MAX_PICTURES, description="generation parameters of the pictures; kept in the results"
    )
    upscaler: Name = "Lanczos"
    second_upscaler: Name = "None"
    second_visibility: Number = Field(0.0, ge=0, le=1, description="share of the second upscaler's result")
    mode: Literal["by", "to"] = "by"
    scale: Number = Field(2.0, ge=0.05, le=16, description="factor on both sides")
    max_side: int = Field(0, ge=0, le=MAX_SIDE, description="with `by`: the longer side grows no further; 0: no limit")
    width: int = Field(512, ge=1, le=MAX_SIDE, description="with `to`")
    height: int = Field(512, ge=1, le=MAX_SIDE, description="with `to`")
    crop: bool = Field(True, description="with `to`: cut off what stands out, so that the size is exact")
    in_eights: bool = Field(
        False,
        description="a picture whose sides are multiples of 8 gets such sides again, cut down as A1111 cuts them; "
        "others keep their proportions all the same",
    )

    @model_validator(mode="after")
    def _small_enough(self) -> "Upscale":
        for image in self.images:
            if self.mode == "to":
                factor = max(self.width / image.width, self.height / image.height)
            else:
                factor = self.scale
                if self.max_side:
                    factor = min(factor, self.max_side / max(image.width, image.height))
            pixels = image.width * image.height * factor**2
            if pixels > MAX_PIXELS:
                raise ValueError(
                    f"a picture of {image.width} x {image.height} would become {pixels / 1e6:.0f} megapixels; "
                    f"at most {MAX_PIXELS / 1e6:.0f} are made"
                )
        return self
