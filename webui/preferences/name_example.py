"""What a pattern of file names would make of a picture, without writing one."""

from datetime import datetime
from pathlib import PurePosixPath

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.output.filenames import NameFacts, component, file_name

PROMPT = "a red circle on a blue background"
NUMBER = 12


def name_example(saving: Saving, time: datetime) -> str:
    """The name of a picture of two as it would lie in the folder of its kind, `2026-05-03/00012-1234567890.png`."""
    job = GenerationRequest(prompt=PROMPT, seed=1234567890, n_iter=2, width=512, height=768)
    facts = NameFacts(
        request=job,
        job=job,
        index=0,
        image=Image.new("RGB", (job.width, job.height)),
        time=time,
        info={"Model": "mini", "Model hash": "0123456789"},
    )
    template = file_name(saving.filename_pattern, facts, f".{saving.image_format}", saving.number_digits)
    name = template.with_number(NUMBER if template.numbered else 0)
    folder = component(saving.folder_pattern, facts) if saving.folder_pattern else ""
    return str(PurePosixPath(folder, name))
