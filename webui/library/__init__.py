"""Finds and recognises model files. Needs no torch."""

from webui.library.family import ModelSpec
from webui.library.files import Kind, ModelFile
from webui.library.headers import Header, TensorInfo, read_header
from webui.library.library import ModelLibrary

__all__ = ["Header", "Kind", "ModelFile", "ModelLibrary", "ModelSpec", "TensorInfo", "read_header"]
