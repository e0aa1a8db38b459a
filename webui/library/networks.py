"""Network files (LoRA, LyCORIS, hypernetworks): by which names they go, their hashes and what they say of themselves.

What they do to a model is the business of an extension.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.errors import UnusableFileError
from webui.library import hashes
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.library.naming import named
from webui.library.pickles import needs_conversion

HASH_DIGITS = 12
ALIAS_FACT = "alias"
ALIAS_KEY, _HASH = "ss_output_name", "sshs_model_hash"  # metadata as kohya's trainer writes it
_NO_METADATA: Mapping[str, str] = MappingProxyType({})


def find_network(library: ModelLibrary, files: tuple[ModelFile, ...], name: str) -> ModelFile | None:
    """The file that a tag's name means: by its place and name, then by the alias inside it, then by its hash.

    An alias that several files carry means none of them, as in A1111.
    """
    same = named(files, name)
    if same:
        return same[0]
    aliased = [file for file in files if file.usable and alias_of(library, file) == name]
    if len(aliased) == 1:
        return aliased[0]
    hashed = [file for file in files if len(name) >= HASH_DIGITS and _known_hash(library, file).startswith(name)]
    return hashed[0] if hashed else None


def shown_names(library: ModelLibrary, files: tuple[ModelFile, ...], *, opens: bool = True) -> dict[ModelFile, str]:
    """The name to write into a tag for each file: its alias where no other file has the same, else its stem.

    Args:
        opens: read the headers of files whose alias is not known yet; otherwise their stem is taken, which is always
            a name that a tag may have.
    """
    aliases = {file: alias_of(library, file, opens=opens) for file in files}
    counts = Counter(alias.lower() for alias in aliases.values())
    return {file: alias if counts[alias.lower()] == 1 else file.stem for file, alias in aliases.items()}


def alias_of(library: ModelLibrary, file: ModelFile, *, opens: bool = True) -> str:
    """The name that its trainer gave it, else the file's stem. Where it is not known yet, the header is read if the
    file may be opened.
    """
    known = library.fact(file, ALIAS_FACT)
    if known is None and not opens:
        return file.stem
    if known is None:
        known = metadata_of(library, file).get(ALIAS_KEY) or file.stem
        library.remember(file, ALIAS_FACT, known)
    return known


def metadata_of(library: ModelLibrary, file: ModelFile) -> Mapping[str, str]:
    """What the file says of itself; nothing where it cannot be read or is a pickle."""
    if needs_conversion(file.path):
        return _NO_METADATA
    try:
        return read_header(file.path).metadata
    except UnusableFileError:
        return _NO_METADATA


def network_hash(library: ModelLibrary, file: ModelFile) -> str:
    """12 hex digits as `Lora hashes` shows them: AutoV3, SHA-256 of what follows a safetensors header.

    A hash in the metadata is believed; a pickle's is that of the whole file.

    Raises:
        UnusableFileError: the file cannot be read.
    """
    known = library.fact(file, "autov3")
    if known is None:
        known = metadata_of(library, file).get(_HASH) or hashes.sha256_of(file.path, skip=_header_bytes(file))
        library.remember(file, "autov3", known)
    return known[:HASH_DIGITS]


def _known_hash(library: ModelLibrary, file: ModelFile) -> str:
    return library.fact(file, "autov3") or ""


def _header_bytes(file: ModelFile) -> int:
    if needs_conversion(file.path):
        return 0
    try:
        with file.path.open("rb") as content:
            return 8 + int.from_bytes(content.read(8), "little")
    except OSError as error:
        raise UnusableFileError(f"{file.path.name}: cannot be read ({error.strerror})") from error
