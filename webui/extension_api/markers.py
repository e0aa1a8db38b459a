"""The decorators that connect extensions to hooks, and the version of this package. Needs no torch."""

import pluggy

PROJECT = "webui"
API_VERSION = 2
"""Grows when something that extensions import or implement changes its meaning or goes; what is new does not change it.

1: extensions imported `webui.extension_api`. 2: they import `webui.extension_api`.
"""

API_MINOR = 2
"""Grows with each addition that extensions may use; what was written for an earlier one works as before.

1: hints how options are drawn (`hint`, `form_hint`). 2: the hook `scripts`.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
