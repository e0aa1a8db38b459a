"""For which kind of checkpoint a small model file (LoRA, embedding) was made, as a word for people: SD1, SD2, SDXL.

Sources, the first that says something: what trainers write into the header (`ss_base_model_version` of kohya's,
`modelspec.architecture` of ModelSpec 1.0.1), then the width of the text that its layers take.
"""

from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.errors import UnusableFileError
from webui.library.embeddings import facts_of
from webui.library.files import ModelFile
from webui.library.headers import Header, read_header
from webui.library.library import ModelLibrary
from webui.library.networks import ALIAS_FACT, ALIAS_KEY

FACT = "base"
UNKNOWN = ""
LONGEST = 40  # characters of a word that a file says of itself
_WORDS = (  # how the words in headers begin, and what they mean; the longer ones come first
    ("stable-diffusion-xl", "SDXL"),
    ("stable-diffusion-v1", "SD1"),
    ("stable-diffusion-v2", "SD2"),
    ("sdxl", "SDXL"),
    ("sd_v1", "SD1"),
    ("sd_v2", "SD2"),
)
_WIDTHS: Mapping[int, str] = MappingProxyType({768: "SD1", 1024: "SD2", 2048: "SDXL"})  # channels of the text
_FAMILIES = (  # how words of people and download sites begin, in small letters, and the family that they mean
    ("sd 1", "SD1"), ("sd1", "SD1"), ("sd_1", "SD1"), ("sd_v1", "SD1"), ("stable-diffusion-v1", "SD1"),
    ("stable diffusion 1", "SD1"), ("sd 2", "SD2"), ("sd2", "SD2"), ("sd_2", "SD2"), ("sd_v2", "SD2"),
    ("stable-diffusion-v2", "SD2"), ("stable diffusion 2", "SD2"), ("sdxl", "SDXL"), ("sd xl", "SDXL"),
    ("stable-diffusion-xl", "SDXL"), ("stable diffusion xl", "SDXL"), ("pony", "SDXL"), ("illustrious", "SDXL"),
    ("noobai", "SDXL"), ("animagine", "SDXL"),
)  # fmt: skip
_NO_WORDS = ("", "unknown", "other")
_CROSS = ("attn2_to_k", "attn2.to_k")
_DOWN = ("lora_down", "lora_A", "lora.down")


def base_of(library: ModelLibrary, file: ModelFile) -> str:
    """The word; "" where nothing tells it. Opens the file where it is not known yet, and remembers the answer."""
    known = library.fact(file, FACT)
    if known is None:
        known = _found(library, file)
        library.remember(file, FACT, known)
    return known[:LONGEST]


def word_of(metadata: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The word that a network's header means; one that is not known here is given back as it stands, cut."""
    for key in ("ss_base_model_version", "modelspec.architecture"):
        if told := metadata.get(key, "").strip():
            known = next((word for start, word in _WORDS if told.startswith(start)), "")
            return known or told.partition("/")[0][:LONGEST]
    for name, shape in shapes.items():
        if len(shape) >= 2 and any(part in name for part in _CROSS) and any(part in name for part in _DOWN):
            return _WIDTHS.get(shape[1], UNKNOWN)
    return UNKNOWN


def family_of_word(word: str) -> str:
    """The family of checkpoints that a word for a base model means (`Pony` -> `SDXL`); "" where it means none. A word
    that is not known is a family of its own, which fits no other.
    """
    plain = word.strip().casefold()
    if plain in _NO_WORDS:
        return UNKNOWN
    return next((family for start, family in _FAMILIES if plain.startswith(start)), word.strip()[:LONGEST])


def base_in(library: ModelLibrary, file: ModelFile, header: Header) -> str:
    """The word of a network whose header was read already; both it and the network's alias are remembered."""
    word = word_of(header.metadata, header.shapes)
    library.remember(file, FACT, word)
    _remember_alias(library, file, header)
    return word[:LONGEST]


def _found(library: ModelLibrary, file: ModelFile) -> str:
    try:
        if file.kind == "checkpoint":
            return library.spec(file).family.label
        if file.kind == "embedding":
            facts = facts_of(library, file)
            return _WIDTHS.get(facts.width, UNKNOWN) if facts else UNKNOWN
        if file.kind == "lora":
            header = read_header(library.safetensors(file))
            _remember_alias(library, file, header)
            return word_of(header.metadata, header.shapes)
    except UnusableFileError:  # a pickle that was not converted yet, or a file that was damaged since it was listed
        return UNKNOWN
    return UNKNOWN


def _remember_alias(library: ModelLibrary, file: ModelFile, header: Header) -> None:
    """Keep the other fact of the same header, so that a list of thousands opens each file once."""
    if library.fact(file, ALIAS_FACT) is None:
        library.remember(file, ALIAS_FACT, header.metadata.get(ALIAS_KEY) or file.stem)
