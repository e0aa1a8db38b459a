"""Writes toy extensions into a folder: the well-behaved one, and those that do everything wrong."""

from pathlib import Path
from textwrap import dedent

from webui.extension_api import API_VERSION

HEAD = "from webui.extension_api import *\n"
JOB_HOOKS = (
    "edit_request(self, request)",
    "plan_images(self, request, images)",
    "edit_image_request(self, request, index)",
    "patch_model(self, model)",
    "edit_conditioning(self, conditioning)",
    "edit_noise(self, place, noise, start)",
    "pre_step(self, step, latents)",
    "unet_residuals(self, call)",
    "unet_attention(self, call)",
    "call_network(self, call, network)",
    "edit_denoised(self, step, denoised, cond, uncond)",
    "post_step(self, step, latents, denoised)",
    "edit_pixels(self, pixels, index)",
    "edit_image(self, image, index)",
    "image_fields(self)",
    "file_words(self, index)",
    "job_ended(self, error)",
    "extra_images(self)",
)
GOOD = """
    from pydantic import Field
    from .work import mark

    class ToyOptions(Options):
        strength: float = Field(0.5, ge=0, le=1, description="how much")
        word: str = "toy"

    class Member:
        def __init__(self, options):
            self.options = options

        @hookimpl
        def image_fields(self):
            return {"Toy": mark(self.options.word)}

    @hookimpl
    def request_options():
        return ToyOptions

    @hookimpl
    def join_job(job):
        return Member(job.options) if job.options else None
"""


def toy(folder: Path, name: str, code: str, *, manifest: str = "", hooks: int = API_VERSION, **modules: str) -> Path:
    """An extension `name` below `folder`; `code` is its plugin.py, `modules` are further ones."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "extension.toml").write_text(
        f'name = "{name}"\nversion = "1.0"\ndescription = "A toy"\nhooks = {hooks}\n{manifest}\n'
    )
    (place / "plugin.py").write_text(HEAD + dedent(code))
    for module, text in modules.items():
        (place / f"{module}.py").write_text(dedent(text))
    return place


def good(folder: Path, name: str = "good") -> Path:
    """One that works; it writes the field `Toy` into infotexts of requests that name it."""
    return toy(folder, name, GOOD, work="def mark(word):\n    return word.upper()\n")


def member(folder: Path, name: str, body: str, setup: str = "") -> Path:
    """One that joins every job; `body` are the methods of its member."""
    methods = "".join(f"    {line}\n" if line else "\n" for line in dedent(body).strip().splitlines())
    code = f"{dedent(setup)}\nclass Member:\n{methods}\n@hookimpl\ndef join_job(job):\n    return Member()\n"
    place = toy(folder, name, "")
    (place / "plugin.py").write_text(HEAD + code)
    return place
