"""Finds the networks of preprocessors: each has a folder in models/ControlNetPreprocessor, in Hugging Face's form.

This module reads only names and small texts, and needs neither torch nor numpy.
"""

from pathlib import Path

from webui.extension_api import Models, UnknownModelError, UnusableFileError

from .annotator_files import KIND, PLACE, missing_files
from .modules import MODULES

WEIGHTS, CONFIG, PROCESSOR = "model.safetensors", "config.json", "preprocessor_config.json"
MAX_TEXT = 1 << 16  # most bytes of a configuration


def is_there(name: str, models: Models) -> bool:
    """Whether the network of a preprocessor can be used, as far as names and its configuration tell."""
    if MODULES[name].reads_files:
        return not missing_files(name, models)
    try:
        text_beside(weights_of(name, models), CONFIG)
    except UnusableFileError:
        return False
    return True


def weights_of(name: str, models: Models) -> Path:
    """The file of weights for a preprocessor.

    Raises:
        UnusableFileError: it is missing or damaged, or there is only a pickle; says what belongs where.
    """
    folder = MODULES[name].folder
    try:
        return models.find(KIND, f"{folder}/{WEIGHTS}")
    except UnknownModelError:
        beside = next((one for one in models.names(KIND) if one.startswith(f"{folder}/")), "").rpartition("/")[2]
    example = MODULES[name].example
    if beside:
        raise UnusableFileError(
            f"{name}: {PLACE}/{folder} holds {beside}, which is not read here; put {WEIGHTS} and {CONFIG} of a model "
            f"such as {example} into it"
        )
    raise UnusableFileError(f"{name} needs {WEIGHTS} and {CONFIG} of a model such as {example} in {PLACE}/{folder}")


def text_beside(weights: Path, name: str) -> str:
    """The text of a configuration beside a file of weights.

    Raises:
        UnusableFileError: it is missing, too long or no text.
    """
    place = f"{PLACE}/{weights.parent.name}/{name}"
    try:
        with weights.with_name(name).open("rb") as file:
            text = file.read(MAX_TEXT + 1)
    except OSError as error:
        raise UnusableFileError(f"{place}: cannot be read ({error.strerror}); it belongs beside {WEIGHTS}") from error
    if len(text) > MAX_TEXT:
        raise UnusableFileError(f"{place}: is longer than {MAX_TEXT} bytes; this is no configuration of a network")
    try:
        return text.decode("utf-8")
    except ValueError as error:
        raise UnusableFileError(f"{place}: is no text") from error
