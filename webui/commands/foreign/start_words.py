"""`COMMANDLINE_ARGS`: the variable in which start files of A1111 and Forge keep their flags."""

import os
import shlex
from collections.abc import Mapping

from webui.domain.errors import WebuiError

VARIABLE = "COMMANDLINE_ARGS"
TOLERANT = "IGNORE_CMD_ARGS_ERRORS"  # of A1111: flags that nobody knows are named, and are no error


def words_of(variables: Mapping[str, str], *, backslashes: bool = os.name == "nt") -> list[str]:
    """The flags in the variable, split as a shell does.

    Args:
        backslashes: they are part of paths, and do not take the meaning from the character that follows.

    Raises:
        WebuiError: a quotation mark is open.
    """
    text = variables.get(VARIABLE, "")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if backslashes:
        lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise WebuiError(f"{VARIABLE}: cannot be split into flags ({str(error).lower()}): {text}") from None
