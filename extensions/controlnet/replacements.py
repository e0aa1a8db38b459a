"""Preprocessors of A1111 that are not built in: why, and what to take instead. Data only; needs no numpy."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Replacement:
    """Why a preprocessor is not here, and what comes next to it.

    Attributes:
        why: a sentence about it, without its name.
        names: preprocessors of the program that draw much the same; empty where there are none.
    """

    why: str
    names: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """A sentence that says what to do."""
        if not self.names:
            return "Make its map elsewhere and send it with the preprocessor none."
        return f"Take {' or '.join(self.names)}, or send a finished map with the preprocessor none."


_PIDINET = "PiDiNet's code and weights may be used for research only."
_LERES = "LeReS has no maintained library, and the weights of its boosted form may not be used commercially."
_OTHER_FORM = "No maintained library reads its file."
_PICTURE_PROMPT = "It hands the picture to the model as a prompt, which an IP-Adapter does here."
_PROGRAM = "Its file is a program (TorchScript), and a file of weights runs no code here."

REPLACEMENTS: Mapping[str, Replacement] = MappingProxyType(
    {
        "softedge_pidinet": Replacement(_PIDINET, ("softedge_hed", "softedge_teed")),
        "softedge_pidisafe": Replacement(_PIDINET, ("softedge_hedsafe",)),
        "scribble_pidinet": Replacement(_PIDINET, ("scribble_hed", "scribble_xdog")),
        "t2ia_sketch_pidi": Replacement(_PIDINET, ("scribble_hed",)),
        "depth_leres": Replacement(_LERES, ("depth_anything", "depth_midas")),
        "depth_leres++": Replacement(_LERES, ("depth_anything", "depth_midas")),
        "depth_hand_refiner": Replacement(
            "The hand model that it needs (MANO) may not be used commercially.", ("depth_anything", "dw_openpose_full")
        ),
        "normal_dsine": Replacement("DSINE's licence is not a free one.", ("normal_bae", "normal_midas")),
        "animal_openpose": Replacement("Poses of animals are not read here."),
        "densepose": Replacement(_PROGRAM, ("dw_openpose_full",)),
        "densepose_parula": Replacement(_PROGRAM, ("dw_openpose_full",)),
        "mediapipe_face": Replacement("MediaPipe is not among the program's packages.", ("openpose_faceonly",)),
        "seg_ofcoco": Replacement(_OTHER_FORM, ("seg_ofade20k", "seg_ufade20k")),
        "mobile_sam": Replacement(_OTHER_FORM, ("seg_ufade20k",)),
        "inpaint_only+lama": Replacement("LaMa's network is not among those that are built in.", ("inpaint_only",)),
        "revision_clipvision": Replacement(_PICTURE_PROMPT, ("ip-adapter-auto",)),
        "revision_ignore_prompt": Replacement(_PICTURE_PROMPT, ("ip-adapter-auto",)),
        "t2ia_style_clipvision": Replacement(_PICTURE_PROMPT, ("ip-adapter-auto",)),
        "ip-adapter_pulid": Replacement("PuLID's networks are not read here.", ("ip-adapter_face_id_plus",)),
        "instant_id_face_keypoints": Replacement("InstantID's key points of a face are not drawn here."),
    }
)
# Those that other networks draw than A1111's, and why.
DRAWN_OTHERWISE: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("openpose", "openpose_face", "openpose_faceonly", "openpose_hand", "openpose_full"),
        "Drawn by DWPose's networks: those of CMU's OpenPose may be used for research only.",
    )
)
