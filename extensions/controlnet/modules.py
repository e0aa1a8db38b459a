"""The preprocessors ("modules" in A1111's words): their names, sliders and control types. Data only; needs no numpy.

Those that need weights are listed too, with the weights that they need, so that clients find all of A1111's names and a
request that names one gets an explanation instead of a picture without control.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from webui.extension_api import Tools

from .annotator_files import ANNOTATOR_FILES

DEFAULT_RESOLUTION = 512
UNUSED_SLIDER = 0.5  # what A1111 writes for a slider that a module does not have
NO_MODULE = "none"


@dataclass(frozen=True, slots=True)
class Slider:
    """A number that a module takes; values outside of the range count as the default."""

    name: str
    default: float
    low: float
    high: float
    step: float = 0.01


@dataclass(frozen=True, slots=True)
class Module:
    """A preprocessor.

    Attributes:
        name: the internal name; `labels` are further names that requests may use.
        sliders: threshold A and B, as far as it has them.
        types: control types that list it.
        model_free: whether it acts without a control network.
        resolution: whether it takes a processor resolution; `usual_resolution` is its short side in pixels without one.
        needs: what it needs that is not built in; "" where nothing.
        handed_to: the extension that does the work, "" where it is done here.
        example: a public model whose files, in a folder of the module's name under `PLACE`, are what it needs; ""
            where it needs no such folder.
    """

    name: str
    labels: tuple[str, ...] = ()
    sliders: tuple[Slider, ...] = ()
    types: tuple[str, ...] = ()
    model_free: bool = False
    resolution: bool = True
    needs: str = ""
    example: str = ""
    handed_to: str = ""
    usual_resolution: int = DEFAULT_RESOLUTION

    @property
    def folder(self) -> str:
        """The folder of its network in Hugging Face's form; normals are drawn by the network of depth."""
        return "depth_midas" if self.name == "normal_midas" else self.name

    @property
    def reads_files(self) -> bool:
        """Whether it draws from single files of weights, which `annotator_files` names."""
        return self.name in ANNOTATOR_FILES

    @property
    def can_be_drawn(self) -> bool:
        """Whether the program can draw its map, once what it needs is there."""
        return not self.needs or bool(self.example) or self.reads_files

    @property
    def acts_alone(self) -> bool:
        """Whether it changes the picture without any control network."""
        return self.model_free or self.name.startswith("tile_colorfix") or self.name == "inpaint_only"

    def threshold(self, number: int, value: float) -> float:
        """The threshold to use: the value where it is in the slider's range, else the slider's default."""
        if number >= len(self.sliders):
            return UNUSED_SLIDER
        slider = self.sliders[number]
        return value if slider.low <= value <= slider.high else slider.default

    def resolution_of(self, value: float) -> float:
        """The processor resolution to use. Inpainting modules do not have one."""
        if self.name.startswith("inpaint"):
            return UNUSED_SLIDER
        return value if 64 <= value <= 2048 else self.usual_resolution


def _fidelity(name: str) -> Module:
    return Module(name, sliders=(Slider("Style Fidelity", 0.5, 0.0, 1.0),), types=("Reference",), model_free=True)


def _gamma(name: str) -> Module:
    slider = Slider("Gamma Correction", 1.0, 0.1, 2.0, 0.001)
    return Module(name, sliders=(slider,), types=("Recolor",))


_ANYLINE_RESOLUTION = 1280
_SAFE_STEPS = Slider("Safe Steps", 2, 0, 10, 1)
# The numbers of those with weights, as A1111 names them.
_NUMBERS: Mapping[str, tuple[Slider, ...]] = MappingProxyType(
    {
        "mlsd": (Slider("MLSD Value Threshold", 0.1, 0.01, 2.0), Slider("MLSD Distance Threshold", 0.1, 0.01, 20.0)),
        "softedge_teed": (_SAFE_STEPS,),
        "softedge_anyline": (_SAFE_STEPS,),
        "normal_midas": (Slider("Normal Background Threshold", 0.4, 0.0, 1.0),),
        "depth_leres": (
            Slider("Remove Near %", 0.0, 0.0, 100.0, 0.1),
            Slider("Remove Background %", 0.0, 0.0, 100.0, 0.1),
        ),
        "depth_leres++": (
            Slider("Remove Near %", 0.0, 0.0, 100.0, 0.1),
            Slider("Remove Background %", 0.0, 0.0, 100.0, 0.1),
        ),
        "mediapipe_face": (Slider("Max Faces", 1, 1, 10, 1), Slider("Min Face Confidence", 0.5, 0.01, 1.0)),
    }
)
_VARIATION = Slider("Variation", 8.0, 3.0, 32.0, 1.0)
_BUILT_IN = (
    Module(NO_MODULE),
    Module("invert", ("invert (from white bg & black line)",), types=("Canny", "Lineart", "Scribble", "MLSD")),
    Module(
        "canny",
        sliders=(Slider("Low Threshold", 100, 1, 255, 1), Slider("High Threshold", 200, 1, 255, 1)),
        types=("Canny",),
    ),
    Module("blur_gaussian", sliders=(Slider("Sigma", 9.0, 0.01, 64.0),), types=("Tile",)),
    Module("threshold", sliders=(Slider("Binarization Threshold", 127, 0, 255, 1),)),
    Module("scribble_xdog", sliders=(Slider("XDoG Threshold", 32, 1, 64, 1),), types=("Scribble",)),
    Module(
        "lineart_standard",
        ("lineart_standard (from white bg & black line)",),
        types=("Lineart",),
    ),
    Module("tile_resample", sliders=(Slider("Down Sampling Rate", 1.0, 1.0, 8.0),), types=("Tile",)),
    Module("tile_colorfix", sliders=(_VARIATION,), types=("Tile",)),
    Module("tile_colorfix+sharp", sliders=(_VARIATION, Slider("Sharpness", 1.0, 0.0, 2.0)), types=("Tile",)),
    Module("inpaint_global_harmonious", ("inpaint",), types=("Inpaint",), resolution=False),
    Module("inpaint_only", types=("Inpaint",), resolution=False),
    _gamma("recolor_luminance"),
    _gamma("recolor_intensity"),
    Module("shuffle", types=("Shuffle",)),
    Module("t2ia_color_grid", ("color",), types=("T2I-Adapter",)),
    _fidelity("reference_only"),
    _fidelity("reference_adain"),
    _fidelity("reference_adain+attn"),
)

# name, further name, control type, and the file in which its weights are known
_WITH_WEIGHTS = (
    ("depth_midas", "depth", "Depth", "dpt_hybrid-midas-501f0c75.pt"),
    ("depth_anything", "", "Depth", "depth_anything_vitl14.pth"),
    ("depth_anything_v2", "", "Depth", "depth_anything_v2_vitl.pth"),
    ("depth_hand_refiner", "", "Depth", "graphormer_hand_state_dict.bin"),
    ("depth_leres", "", "Depth", "res101.pth"),
    ("depth_leres++", "", "Depth", "latest_net_G.pth"),
    ("depth_zoe", "", "Depth", "ZoeD_M12_N.pt"),
    ("normal_midas", "normal_map", "NormalMap", "dpt_hybrid-midas-501f0c75.pt"),
    ("normal_bae", "", "NormalMap", "scannet.pt"),
    ("normal_dsine", "", "NormalMap", "dsine.pt"),
    ("openpose", "", "OpenPose", "body_pose_model.pth"),
    ("openpose_face", "", "OpenPose", "facenet.pth"),
    ("openpose_faceonly", "", "OpenPose", "facenet.pth"),
    ("openpose_full", "", "OpenPose", "hand_pose_model.pth"),
    ("openpose_hand", "", "OpenPose", "hand_pose_model.pth"),
    ("dw_openpose_full", "", "OpenPose", "dw-ll_ucoco_384.onnx"),
    ("animal_openpose", "", "OpenPose", "rtmpose-m_ap10k_256.onnx"),
    ("densepose", "", "OpenPose", "densepose_r50_fpn_dl.torchscript"),
    ("densepose_parula", "", "OpenPose", "densepose_r50_fpn_dl.torchscript"),
    ("mediapipe_face", "", "OpenPose", "face_landmarker.task"),
    ("mlsd", "", "MLSD", "mlsd_large_512_fp32.pth"),
    ("softedge_hed", "hed", "SoftEdge", "ControlNetHED.pth"),
    ("softedge_hedsafe", "hed_safe", "SoftEdge", "ControlNetHED.pth"),
    ("softedge_pidinet", "pidinet", "SoftEdge", "table5_pidinet.pth"),
    ("softedge_pidisafe", "pidinet_safe", "SoftEdge", "table5_pidinet.pth"),
    ("softedge_teed", "", "SoftEdge", "7_model.pth"),
    ("softedge_anyline", "", "SoftEdge", "MTEED.pth"),
    ("lineart_realistic", "lineart", "Lineart", "sk_model.pth"),
    ("lineart_coarse", "", "Lineart", "sk_model2.pth"),
    ("lineart_anime", "", "Lineart", "netG.pth"),
    ("lineart_anime_denoise", "", "Lineart", "erika.pth"),
    ("scribble_hed", "", "Scribble", "ControlNetHED.pth"),
    ("scribble_pidinet", "pidinet_scribble", "Scribble", "table5_pidinet.pth"),
    ("seg_ufade20k", "segmentation", "Segmentation", "upernet_global_small.pth"),
    ("seg_ofade20k", "oneformer_ade20k", "Segmentation", "250_16_swin_l_oneformer_ade20k_160k.pth"),
    ("seg_ofcoco", "oneformer_coco", "Segmentation", "150_16_swin_l_oneformer_coco_100ep.pth"),
    ("seg_anime_face", "anime_face_segment", "Segmentation", "UNet.pth"),
    ("mobile_sam", "", "Segmentation", "mobile_sam.pt"),
    ("inpaint_only+lama", "", "Inpaint", "ControlNetLama.pth"),
    ("revision_clipvision", "", "Revision", "clip_g.pth"),
    ("revision_ignore_prompt", "", "Revision", "clip_g.pth"),
    ("t2ia_sketch_pidi", "pidinet_sketch", "T2I-Adapter", "table5_pidinet.pth"),
    ("t2ia_style_clipvision", "clip_vision", "T2I-Adapter", "clip_l.pth"),
    ("ip-adapter_pulid", "", "IP-Adapter", "antelopev2"),
    ("instant_id_face_keypoints", "", "Instant-ID", "antelopev2"),
)
# name, further name, control type: pictures as prompts, which are another extension's work
_PICTURES = (
    ("ip-adapter-auto", "", "IP-Adapter"),
    ("ip-adapter_clip_h", "ip-adapter_clip_sd15", "IP-Adapter"),
    ("ip-adapter_clip_g", "ip-adapter_clip_sdxl", "IP-Adapter"),
    ("ip-adapter_clip_sdxl_plus_vith", "", "IP-Adapter"),
    ("ip-adapter_face_id", "", "IP-Adapter"),
    ("ip-adapter_face_id_plus", "", "IP-Adapter"),
    ("instant_id_face_embedding", "", "Instant-ID"),
)
OF_TOOLS: Final = "preprocessor"  # the kind of tools of other extensions that are listed here
_OF_PICTURES = "ip_adapter"
# Those of them that run with a network in Hugging Face's form, and a public one that fits.
_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "depth_midas": "Intel/dpt-hybrid-midas",
        "depth_anything": "LiheYoung/depth-anything-small-hf",
        "depth_anything_v2": "depth-anything/Depth-Anything-V2-Small-hf",
        "depth_zoe": "Intel/zoedepth-nyu-kitti",
        "normal_midas": "Intel/dpt-hybrid-midas",
        "seg_ufade20k": "openmmlab/upernet-convnext-small",
        "seg_ofade20k": "openmmlab/upernet-swin-large",  # A1111's OneFormer draws the same classes in the same colours
    }
)
MODULES: Mapping[str, Module] = MappingProxyType(
    {module.name: module for module in _BUILT_IN}
    | {
        name: Module(name, (label,) if label else (), types=(kind,), resolution=False, handed_to=_OF_PICTURES)
        for name, label, kind in _PICTURES
    }
    | {
        name: Module(
            name,
            (label,) if label else (),
            _NUMBERS.get(name, ()),
            (kind,),
            needs=file,
            example=_EXAMPLES.get(name, ""),
        )
        for name, label, kind, file in _WITH_WEIGHTS
    }
)
BUILT_IN = tuple(module.name for module in _BUILT_IN)
OF_PICTURES = tuple(name for name, _, _ in _PICTURES)
WITH_NETWORK = (*_EXAMPLES, *ANNOTATOR_FILES)
_BY_LABEL: Mapping[str, Module] = MappingProxyType(
    {label: module for module in MODULES.values() for label in (module.name, *module.labels)}
)
# Control types in A1111's order: the module that is chosen with them, and words that names of their models contain.
CONTROL_TYPES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "All": (NO_MODULE, ()),
        "Canny": ("canny", ("canny",)),
        "Depth": ("depth_midas", ("depth",)),
        "IP-Adapter": ("ip-adapter-auto", ("ip-adapter", "ip_adapter")),
        "Inpaint": ("inpaint_only", ("inpaint",)),
        "Instant-ID": ("instant_id_face_embedding", ("instant_id", "instant-id")),
        "InstructP2P": (NO_MODULE, ("ip2p",)),
        "Lineart": ("lineart_standard", ("lineart",)),
        "MLSD": ("mlsd", ("mlsd",)),
        "NormalMap": ("normal_bae", ("normal",)),
        "OpenPose": ("openpose_full", ("openpose",)),
        "Recolor": ("recolor_luminance", ("recolor",)),
        "Reference": ("reference_only", ("reference",)),
        "Revision": (NO_MODULE, ("revision",)),
        "Scribble": ("scribble_xdog", ("scribble",)),
        "Segmentation": ("seg_ofade20k", ("seg",)),
        "Shuffle": ("shuffle", ("shuffle",)),
        "SoftEdge": ("softedge_hed", ("softedge", "hed")),
        "SparseCtrl": (NO_MODULE, ("sparsectrl",)),
        "T2I-Adapter": (NO_MODULE, ("t2i",)),
        "Tile": ("tile_resample", ("tile", "blur")),
    }
)


def is_named_for(kind: str, model: str) -> bool:
    """Whether the name of a model holds a word of a control type."""
    return any(word in model.lower() for word in CONTROL_TYPES[kind][1])


def is_named_for_any(model: str) -> bool:
    """Whether its name says at all what it controls by."""
    return any(is_named_for(kind, model) for kind in CONTROL_TYPES)


def find_module(name: str) -> Module | None:
    """The module of that name or label; None where there is none."""
    return _BY_LABEL.get(name)


def modules_of(control_type: str) -> tuple[Module, ...]:
    """Modules that a control type lists; all of them for "All"."""
    if control_type == "All":
        return tuple(MODULES.values())
    return (MODULES[NO_MODULE], *(one for one in MODULES.values() if control_type in one.types))


def brought(tools: Tools) -> tuple[Module, ...]:
    """Preprocessors of other extensions whose names are free. They have no number but the resolution."""
    return tuple(Module(name) for name in tools.names(OF_TOOLS) if find_module(name) is None)


def brought_module(name: str, tools: Tools) -> Module | None:
    """The one of that name; None where there is none."""
    return next((one for one in brought(tools) if one.name == name), None)
