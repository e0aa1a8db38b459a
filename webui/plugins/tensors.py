"""What an extension imports beside `webui.plugins.api` in modules that work on tensors. Loads torch."""

from webui.library.detect import ModelSpec, detect
from webui.library.layout import Layout, unet_layout
from webui.library.sidecar import read_sidecar
from webui.prompt.conditioning import Conditioning
from webui.prompt.embeddings import Embedding, embedding_of
from webui.sampling.colours import latent_colours
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import ModelCall, Place, Residuals, Step
from webui.weights.annotators import Segmenter, build_depth, build_segmenter
from webui.weights.build import check_finite, is_finite
from webui.weights.depth import DepthNetwork
from webui.weights.model import LoadedModel
from webui.weights.recognise import FACES, recognise
from webui.weights.tensors import TensorFile
from webui.weights.text_encoders import ClipTower, build_text_stack

__all__ = [
    "FACES",
    "ClipTower",
    "Conditioning",
    "DepthNetwork",
    "Embedding",
    "Layout",
    "LoadedModel",
    "ModelCall",
    "ModelSpec",
    "Place",
    "Residuals",
    "Segmenter",
    "SigmaTable",
    "Step",
    "TensorFile",
    "build_depth",
    "build_segmenter",
    "build_text_stack",
    "check_finite",
    "detect",
    "embedding_of",
    "is_finite",
    "latent_colours",
    "read_sidecar",
    "recognise",
    "unet_layout",
]
