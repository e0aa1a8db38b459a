"""Field types that read numbers and texts as clients of A1111 (pydantic 1) send them: "20", 20.7, 1 for a text.

Bounds of meaning are those of the request that the fields become; here every value only becomes finite and typed.
"""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

LONGEST_NUMBER = 40  # characters


def _to_int(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        return int(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        text = _number_text(value)
        try:
            return int(text)
        except ValueError:
            raise ValueError("is not a whole number") from None
    return value


def _to_float(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int) and abs(value) > 1e300:
        raise ValueError("is too large")
    if isinstance(value, str):
        value = float(_number_text(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _to_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _number_text(text: str) -> str:
    stripped = text.strip()
    if not stripped or len(stripped) > LONGEST_NUMBER or "_" in stripped:
        raise ValueError("is not a number")
    try:
        float(stripped)
    except ValueError:
        raise ValueError("is not a number") from None
    return stripped


Int = Annotated[int, BeforeValidator(_to_int)]
Float = Annotated[float, BeforeValidator(_to_float)]
Text = Annotated[str, BeforeValidator(_to_text)]
