"""A merge in one line, as A1111 names merged files: `0.7(A) + 0.3(B)`, `A + 0.5(B - C)`. It needs no torch."""

import re
from typing import Any

_NUMBER = r"(-?\d*\.?\d+)"
_SUM = re.compile(rf"{_NUMBER}\((.+?)\) \+ {_NUMBER}\((.+?)\)(?: \+ {_NUMBER}\((.+?)\))?")
_DIFFERENCE = re.compile(rf"(.+?) \+ {_NUMBER}\((.+) - (.+)\)")
_ROUNDING = 0.011  # A1111 writes two digits


def fields_of_line(line: str) -> dict[str, Any]:
    """The fields of the recipe that a line means: method, a, b, c, alpha, beta.

    Raises:
        ValueError: it has another form, or shares that do not make 1.
    """
    line = line.strip()
    if found := _SUM.fullmatch(line):
        shares = [float(share) for share in found.group(1, 3, 5) if share is not None]
        if abs(sum(shares) - 1) > _ROUNDING:
            raise ValueError(f"the shares {', '.join(f'{one:g}' for one in shares)} do not make 1")
        fields: dict[str, Any] = {"method": "weighted_sum", "a": found[2], "b": found[4], "alpha": shares[1]}
        if len(shares) == 3:
            fields |= {"method": "triple_sum", "c": found[6], "beta": shares[2]}
        return fields
    if found := _DIFFERENCE.fullmatch(line):
        return {"method": "add_difference", "a": found[1], "b": found[3], "c": found[4], "alpha": float(found[2])}
    raise ValueError("is none of 0.7(A) + 0.3(B), 0.5(A) + 0.3(B) + 0.2(C), A + 0.5(B - C)")
