"""The keys of inpainting in generation parameters."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.inpainting import Inpainting, SoftInpainting

CONTENTS: Mapping[str, str] = MappingProxyType(
    {"fill": "fill", "noise": "latent noise", "nothing": "latent nothing"}  # "original" is not written
)
SOFT_KEYS = (  # field, key
    ("schedule_bias", "Soft inpainting schedule bias"),
    ("preservation", "Soft inpainting preservation strength"),
    ("contrast_boost", "Soft inpainting transition contrast boost"),
    ("mask_influence", "Soft inpainting mask influence"),
    ("difference_threshold", "Soft inpainting difference threshold"),
    ("difference_contrast", "Soft inpainting difference contrast"),
)


def inpainting_keys(options: Inpainting | None, *, blank: bool) -> dict[str, object]:
    """Key -> value as Python prints it, in A1111's order; None: not written.

    Args:
        blank: only the masked area was to be worked on, and there was none.
    """
    if options is None:
        return {}
    same_blur = options.mask_blur_x == options.mask_blur_y and options.mask_blur_x > 0
    close = options.area == "masked" and not blank
    return {
        **_soft(options.soft),
        "Mask mode": "Inpaint not masked" if options.invert else None,
        "Mask blur": options.mask_blur_x if same_blur else None,
        "Inpaint area": "Only masked" if close else None,
        "Masked area padding": options.padding if close else None,
        "Masked content": None if blank else CONTENTS.get(options.content),
    }


def _soft(options: SoftInpainting | None) -> dict[str, object]:
    if options is None:
        return {}
    return {"Soft inpainting enabled": True, **{key: getattr(options, field) for field, key in SOFT_KEYS}}
