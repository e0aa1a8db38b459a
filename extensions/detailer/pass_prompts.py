"""The prompts of a pass: one part for each mask, with words that stand for the picture's own prompt or for nothing.

`[SEP]` parts them, `[PROMPT]` stands for the picture's prompt, a part that is only `[SKIP]` leaves its mask out.
"""

SEPARATOR, OWN, SKIP = "[SEP]", "[PROMPT]", "[SKIP]"


def parts_of(text: str) -> tuple[str, ...]:
    """The parts of a prompt, without blanks around them; at least one."""
    return tuple(part.strip() for part in text.split(SEPARATOR))


def part_for(text: str, number: int) -> str:
    """The part for the mask of that number; further masks take the last."""
    parts = parts_of(text)
    return parts[min(number, len(parts) - 1)]


def is_skipped(part: str) -> bool:
    """Whether the part leaves its mask out."""
    return part == SKIP


def resolved(part: str, own: str) -> str:
    """The part with the picture's own prompt in its place; an empty part is that prompt."""
    return part.replace(OWN, own) if part else own


def is_own(part: str) -> bool:
    """Whether the part is the picture's own prompt."""
    return part in ("", OWN)
