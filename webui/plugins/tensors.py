"""What an extension imports beside `webui.plugins.api` in modules that work on tensors. Loads torch."""

from webui.prompt.conditioning import Conditioning
from webui.sampling.steps import ModelCall, Residuals, Step
from webui.weights.model import LoadedModel
from webui.weights.recognise import FACES, recognise
from webui.weights.tensors import TensorFile

__all__ = ["FACES", "Conditioning", "LoadedModel", "ModelCall", "Residuals", "Step", "TensorFile", "recognise"]
