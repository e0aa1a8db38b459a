"""Tags as a text: which ones, in which order, how written."""

import re
from collections.abc import Mapping

_BRACKETS = re.compile(r"([\\()])")
FACES = frozenset(
    {
        "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^",
        "o_o", "u_u", "x_x", "|_|", "||_||",
    }
)  # fmt: skip


def tag_text(
    scores: Mapping[str, float],
    *,
    threshold: float,
    alphabetical: bool,
    spaces: bool = True,
    escape: bool = True,
    with_scores: bool = False,
    leave_out: str = "",
) -> str:
    """The tags that are surer than a threshold, with commas between them.

    Args:
        scores: how sure each tag is, 0..1.
        alphabetical: in the order of the alphabet, else the surest first.
        with_scores: as `(tag:0.987)`.
        leave_out: tags with commas between them, with blanks or underscores.
    """
    out = {tag.strip().replace(" ", "_") for tag in leave_out.split(",")}
    kept = [tag for tag, score in scores.items() if score >= threshold and tag not in out]
    kept.sort(key=None if alphabetical else lambda tag: -scores[tag])
    texts = []
    for tag in kept:
        text = tag.replace("_", " ") if spaces and tag not in FACES else tag
        text = _BRACKETS.sub(r"\\\1", text) if escape else text
        texts.append(f"({text}:{scores[tag]:.3f})" if with_scores else text)
    return ", ".join(texts)
