"""Writes docs/hooks.md from the specs: `python -m webui.plugins.document > docs/hooks.md`."""

import inspect
import sys
from collections.abc import Iterator

from webui.extension_api.hookspecs import AppSpec, JobSpec
from webui.extension_api.markers import API_VERSION

HEAD = f"""\
# Hooks

Made by `python -m webui.plugins.document` from `webui/extension_api/hookspecs.py`; a test compares the two. How to
write an extension: [extending.md](extending.md).

This is version {API_VERSION} of the hooks and of the whole package `webui.extension_api`, which is all that extensions
import from the program. It grows when something in it changes its meaning or goes; a new hook, or a new argument of a
hook, does not change it. An extension names the version that it was written for in `extension.toml`
(`hooks = {API_VERSION}`); a program of another version refuses it with a sentence.

`None` always means "no". Implementations are marked with `@hookimpl` and take only the arguments they need. A hook
returns new values: tensors are handed out as copies, and one that was written to drops the extension from the job.
"""
FAILURES = """\
## When an extension fails

| what | then |
| --- | --- |
| import, missing package, unknown hook or argument | it is listed as failed with its traceback; the program starts |
| loading hangs or ends the process | it is cut off and listed as failed; a worker goes on without it |
| its `dialect` names an option that does not exist | the declaration is set aside, with a notice in the list |
| a request names an unknown extension or wrong options | refused at submit: 422, `extensions.soft_glow.amount: ...` |
| `join_job`, `edit_request` or `patch_model` raises | the job fails at once with the extension's name |
| another job hook raises, or breaks its contract | it is left out of the rest of the job; the picture is kept |
| the step of a sampler does | the job fails with the names of extension and sampler |
| a step never ends | cancelling the job ends the worker after a while; another is started |
| a patch leaves the model changed | the model is loaded anew, with a notice |
| a function of the program was replaced | it is put back, with a notice |

Notices stand beside the picture and in the API's answer; who was left out also stands in the infotext, under
`Failed extensions`.
"""


def document() -> str:
    """The text of docs/hooks.md."""
    return "\n".join([HEAD, *_part("Functions in `plugin.py`", AppSpec), *_part("Job hooks", JobSpec), FAILURES])


def _part(title: str, spec: type) -> Iterator[str]:
    yield f"## {title}\n\n{inspect.cleandoc(spec.__doc__ or '')}\n"
    for name, hook in vars(spec).items():
        if not name.startswith("_"):
            yield f"### {name}\n\n```python\n{signature(hook)}\n```\n\n{inspect.cleandoc(hook.__doc__ or '')}\n"


def signature(hook: object) -> str:
    """`pre_step(step: Step, latents: Tensor) -> Tensor | None`."""
    if not callable(hook):
        return ""
    found = inspect.signature(hook)
    arguments = [f"{one.name}: {one.annotation}" for one in found.parameters.values() if one.name != "self"]
    return f"{getattr(hook, '__name__', '')}({', '.join(arguments)}) -> {found.return_annotation}"


if __name__ == "__main__":
    sys.stdout.write(document())
