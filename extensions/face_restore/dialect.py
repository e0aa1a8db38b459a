"""A1111's names for restoring faces, and the options that they stand for."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.extension_api import Dialect, Told, Word

CODEFORMER: Mapping[str, float] = MappingProxyType(
    {"gfpgan_visibility": 0.0, "codeformer_visibility": 1.0, "codeformer_weight": 0.5}
)
GFPGAN: Mapping[str, float] = MappingProxyType(
    {"gfpgan_visibility": 1.0, "codeformer_visibility": 0.0, "codeformer_weight": 0.5}
)


def dialect_of_faces() -> Dialect:
    """Words of the API's bodies and settings, of its `info`, and of infotexts.

    A1111 writes the restorer's name alone into an infotext; any other text than GFPGAN means CodeFormer.
    """
    return Dialect(
        generation=(
            Word(name="restore_faces", asks=True),
            Word(name="face_restoration", setting=True, asks=True, default=False),
            Word(
                name="face_restoration_model",
                setting=True,
                meanings={"CodeFormer": {**CODEFORMER}, "GFPGAN": {**GFPGAN}},
                default="CodeFormer",
            ),
            Word(name="code_former_weight", setting=True, option="codeformer_weight", default=0.5),
        ),
        extras=(
            Word(name="gfpgan_visibility", option="gfpgan_visibility", asks=True, default=0.0, low=0, high=1),
            Word(name="codeformer_visibility", option="codeformer_visibility", asks=True, default=0.0, low=0, high=1),
            Word(name="codeformer_weight", option="codeformer_weight", default=0.0, low=0, high=1),
        ),
        infotext=(
            Word(name="Face restoration", asks=True, meanings={"GFPGAN": {**GFPGAN}}, otherwise={**CODEFORMER}),
            Word(name="GFPGAN visibility", option="gfpgan_visibility", codec="number"),
            Word(name="CodeFormer visibility", option="codeformer_visibility", codec="number"),
            Word(name="CodeFormer weight", option="codeformer_weight", codec="number"),
        ),
        info=(
            Told(key="restore_faces"),
            Told(key="face_restoration_model", words={"codeformer_visibility": "CodeFormer"}, value="GFPGAN"),
        ),
    )
