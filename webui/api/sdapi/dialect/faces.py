"""A1111's words for restored faces, and the options of the extension `face_restore` that they mean."""

from collections.abc import Mapping
from typing import Any

from webui.api.body import InvalidBodyError
from webui.domain.request import GenerationRequest

EXTENSION = "face_restore"
RESTORE, MODEL, WEIGHT = "face_restoration", "face_restoration_model", "code_former_weight"  # settings
CODEFORMER, GFPGAN = "CodeFormer", "GFPGAN"
DEFAULT_WEIGHT = 0.5
Options = dict[str, dict[str, Any]]


def restoring(restore_faces: bool | None, settings: Mapping[str, Any]) -> Options:
    """Options for txt2img and img2img; empty where no face is to be restored.

    Args:
        restore_faces: the body's; null takes the setting `face_restoration`.
        settings: the request's override settings.

    Raises:
        InvalidBodyError: there is no such restorer.
    """
    wanted = settings.get(RESTORE) if restore_faces is None else restore_faces
    if not wanted:
        return {}
    model = settings.get(MODEL) or CODEFORMER
    if model not in (CODEFORMER, GFPGAN):
        raise InvalidBodyError.at(("override_settings", MODEL), f"should be {CODEFORMER} or {GFPGAN}")
    weight = settings.get(WEIGHT)
    return _options(
        gfpgan=1.0 if model == GFPGAN else 0.0,
        codeformer=1.0 if model == CODEFORMER else 0.0,
        weight=DEFAULT_WEIGHT if weight is None else weight,
    )


def restoring_extras(gfpgan: float, codeformer: float, weight: float) -> Options:
    """Options for Extras; empty where both visibilities are 0.

    Raises:
        InvalidBodyError: a value is not from 0 to 1.
    """
    given = {"gfpgan_visibility": gfpgan, "codeformer_visibility": codeformer, "codeformer_weight": weight}
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise InvalidBodyError.at((name,), "should be from 0 to 1")
    return _options(gfpgan=gfpgan, codeformer=codeformer, weight=weight) if gfpgan or codeformer else {}


def told(request: GenerationRequest) -> dict[str, Any]:
    """The two keys of A1111's `info`."""
    options = request.extensions.get(EXTENSION)
    if options is None:
        return {"restore_faces": False, MODEL: None}
    return {"restore_faces": True, MODEL: CODEFORMER if options.get("codeformer_visibility", 1) else GFPGAN}


def _options(*, gfpgan: float, codeformer: float, weight: Any) -> Options:
    return {
        EXTENSION: {
            "gfpgan_visibility": gfpgan, "codeformer_visibility": codeformer, "codeformer_weight": weight
        }
    }  # fmt: skip
