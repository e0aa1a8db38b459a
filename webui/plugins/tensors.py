"""What an extension imports beside `webui.plugins.api` in modules that work on tensors. Loads torch."""

from webui.library.family import LatentFormat, ModelSpec
from webui.library.layout import Layout, unet_layout
from webui.prompt.conditioning import Conditioning
from webui.prompt.embeddings import Embedding, embedding_of
from webui.sampling.colours import latent_colours
from webui.sampling.steps import ModelCall, Place, Residuals, Step
from webui.weights.annotators import Segmenter, build_depth, build_segmenter
from webui.weights.build import check_finite, is_finite
from webui.weights.depth import DepthNetwork
from webui.weights.families.contract import networks_of
from webui.weights.model import LoadedModel
from webui.weights.recognise import FACES, recognise
from webui.weights.tensors import TensorFile
from webui.weights.text_encoders import ClipTower

__all__ = [
    "FACES",
    "ClipTower",
    "Conditioning",
    "DepthNetwork",
    "Embedding",
    "LatentFormat",
    "Layout",
    "LoadedModel",
    "ModelCall",
    "ModelSpec",
    "Place",
    "Residuals",
    "Segmenter",
    "Step",
    "TensorFile",
    "build_depth",
    "build_segmenter",
    "check_finite",
    "embedding_of",
    "is_finite",
    "latent_colours",
    "networks_of",
    "recognise",
    "unet_layout",
]
