"""Which tensors of a file are a textual inversion's vectors, told by their names alone."""

from collections.abc import Iterable

from webui.domain.errors import UnusableFileError
from webui.library.accounting import Account

SDXL_NAMES = ("clip_l", "clip_g")
A1111_PREFIX = "string_to_param."


def vector_names(file: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names of the vectors: those of SDXL's two text encoders, or the only one.

    Args:
        file: its name, for the error.

    Raises:
        UnusableFileError: the names are those of no embedding that is known.
    """
    names = tuple(names)
    if set(SDXL_NAMES) <= set(names):
        return SDXL_NAMES
    found = tuple(name for name in names if name.startswith(A1111_PREFIX)) or names
    if len(found) != 1:
        raise UnusableFileError(
            f"{file}: expected one tensor of vectors, or {' and '.join(SDXL_NAMES)}, found {len(found)} "
            f"({', '.join(name[:40] for name in found[:3]) or 'none'})"
        )
    return found


def unread_in(file: str, names: Iterable[str]) -> str:
    """One sentence about the tensors that are neither vectors nor known to be of no use; "" where there are none.

    Raises:
        UnusableFileError: as `vector_names`.
    """
    names = tuple(names)
    account = Account(file, names)
    account.use(*vector_names(file, names))
    account.leave_out(
        "which token the vectors were trained for", *(n for n in names if n.startswith("string_to_token"))
    )
    account.leave_out("for a third text encoder, which no family here has", *(n for n in names if n.startswith("t5")))
    return account.told()
