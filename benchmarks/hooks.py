"""The time that hooks cost a job in which no extension takes part, by the number of installed extensions:
`python -m benchmarks.hooks`.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from PIL import Image

from webui.domain.request import GenerationRequest
from webui.library.library import ModelLibrary
from webui.plugins.host import ExtensionHost
from webui.plugins.jobhooks import JobHooks
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.prompt.conditioning import Conditioning, PromptTexts
from webui.sampling.steps import ModelCall, Step
from webui.weights.families.registry import FAMILIES

STEPS = 20
STAYS_OUT = """
from webui.extension_api import Options, hookimpl
class Nothing(Options):
    pass
@hookimpl
def request_options():
    return Nothing
@hookimpl
def join_job(job):
    return None
"""


def every_hook(hooks: JobHooks, request: GenerationRequest) -> None:
    """The calls of one job of 20 steps and one picture."""
    latents = torch.ones(1, 4, 64, 64)
    step = Step(0, STEPS, torch.tensor(5.0), torch.tensor(4.0))
    call = ModelCall(step, latents, torch.ones(1), torch.ones(1, 77, 8), torch.ones(1, dtype=torch.bool))
    hooks.edit_request(request)
    text = Conditioning((), ())
    hooks.edit_conditioning(text, PromptTexts((), (), lambda prompts, negatives: text))
    for _ in range(STEPS):
        hooks.pre_step(step, latents)
        hooks.unet_residuals(call)
        hooks.call_network(call, lambda call: latents)
        hooks.edit_denoised(step, latents, latents, latents, latents, lambda here, positive: here)
        hooks.post_step(step, latents, latents)
    hooks.edit_image(Image.new("RGB", (8, 8)), 0)
    hooks.fields(0)
    hooks.extra_images()


def milliseconds(work: Callable[[], object], times: int = 50) -> float:
    """Median of several runs."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return 1000 * median(spent)


def main() -> None:
    request = GenerationRequest(prompt="a cat")
    with tempfile.TemporaryDirectory() as folder:
        for count in (0, 1, 10):
            place = Path(folder, str(count))
            for number in range(count):
                one = place / f"toy{number}"
                one.mkdir(parents=True)
                (one / "plugin.py").write_text(STAYS_OUT)
                manifest = f'name = "toy{number}"\nversion = "1"\ndescription = "stays out"\nhooks = 2\n'
                (one / "extension.toml").write_text(manifest)
            models = LibraryModels(ModelLibrary(Path(folder), Path(folder), FAMILIES))
            host = ExtensionHost(load_all(place), models, torch.device("cpu"), torch.float32)

            def job(host: ExtensionHost = host) -> None:
                hooks = host.join(request)
                with host.watched(hooks):
                    every_hook(hooks, request)

            print(f"{count} extensions installed, none takes part: {milliseconds(job):.3f} ms a job of {STEPS} steps")


if __name__ == "__main__":
    main()
