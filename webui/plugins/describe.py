"""Describes extensions in a process of its own: `python -m webui.plugins.describe EXTENSIONS_DIR FOLDER...`.

Writes one JSON line for each folder before (`{"loading": folder}`) and after (`{"info": {...}}`) its code has run, so
that the parent knows which one hangs or ends the process. Whatever extensions print goes to standard error.
"""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from webui.domain.extensions import ExtensionInfo

INFO: TypeAdapter[ExtensionInfo] = TypeAdapter(ExtensionInfo)


def main(arguments: Sequence[str]) -> int:
    """Describe the folders named, in order."""
    with _lines() as out:
        from webui.plugins.codetrace import CodeTrace
        from webui.plugins.extension_modules import ExtensionModules
        from webui.plugins.loader import load, peek  # here: what it imports may print

        trace, modules = CodeTrace(), ExtensionModules()
        for name in arguments[1:]:
            _write(out, {"loading": name})
            folder = Path(arguments[0], name)
            info = peek(folder)
            if info.state == "ok":
                found = load(folder, info, trace, modules)
                info = found if isinstance(found, ExtensionInfo) else found.info
            _write(out, {"info": INFO.dump_python(info, mode="json")})
    os._exit(0)  # a thread that an extension left behind must not keep this process


def _lines() -> io.TextIOWrapper:
    """The real standard output; from now on the usual one is standard error."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(real, "w", encoding="utf-8")


def _write(out: io.TextIOWrapper, line: dict[str, Any]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
