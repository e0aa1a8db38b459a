"""Programs that speak to A1111, from the package index, against the API over a socket; and a reader of its files."""

import io
import threading
import warnings
from collections.abc import Iterator

import pytest
import sd_backend_client
import uvicorn
import webuiapi
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sd_parsers import ParserManager

from tests.api.fakes import Api, FakeEngine
from tests.api.test_scripts import Plain, Units
from tests.narrowing import img2img, untyped
from webui.domain.dialect import Dialect
from webui.domain.extensions import ExtensionInfo
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of

with warnings.catch_warnings():  # it is written with names that its own library finds old
    warnings.simplefilter("ignore")
    import aaa1111

PATIENCE = 20.0  # seconds until the server listens
CONTROLNET = Dialect(script_names=("ControlNet", "ControlNet m2m"))


class Served:
    """The API behind a socket of this machine."""

    def __init__(self) -> None:
        infos = [
            ExtensionInfo("controlnet", "controlnet", options=schema_of(Units), dialect=CONTROLNET),
            ExtensionInfo("soft_glow", "soft_glow", options=schema_of(Plain)),
        ]
        self.api = Api(FakeEngine(extensions=Catalog(infos)))
        config = uvicorn.Config(self.api.app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> "Served":
        self._thread.start()
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            if self._server.started:
                return self
            pause.wait(0.02)
        raise AssertionError("the server did not start")

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)

    @property
    def port(self) -> int:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def engine(self) -> FakeEngine:
        return self.api.engine


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as running:
        yield running


def picture() -> Image.Image:
    return Image.new("RGB", (64, 64), "red")


class TestWebuiapi:
    @pytest.fixture
    def client(self, served: Served) -> webuiapi.WebUIApi:
        return webuiapi.WebUIApi(host="127.0.0.1", port=served.port)

    def test_generation(self, client: webuiapi.WebUIApi, served: Served) -> None:
        made = client.txt2img(prompt="a cat", seed=3, steps=2, batch_size=2, width=64, height=64, cfg_scale=5)
        assert len(made.images) == 2
        assert made.info["all_seeds"] == [3, 4]
        assert made.parameters["prompt"] == "a cat"
        request = served.engine.last.request
        assert (request.sampler, request.scheduler, request.cfg_scale) == ("Euler a", "Automatic", 5)
        made = client.img2img(images=[picture()], mask_image=picture(), prompt="b", width=64, height=64)
        assert made.image.size == (8, 8)
        assert img2img(served.engine.last.request).inpainting is not None

    def test_units_of_controlnet_arrive(self, client: webuiapi.WebUIApi, served: Served) -> None:
        unit = webuiapi.ControlNetUnit(image=picture(), module="none", model="None", weight=0.5)
        client.txt2img(prompt="a", width=64, height=64, controlnet_units=[unit])
        assert untyped(served.engine.last.request.extensions["controlnet"])["units"][0]["weight"] == 0.5

    def test_lists_and_settings(self, client: webuiapi.WebUIApi) -> None:
        assert "Euler a" in client.util_get_sampler_names()
        assert "karras" in client.util_get_scheduler_names()
        assert client.util_get_model_names()[0].startswith("sub/other")
        assert client.get_upscalers()[0]["name"] == "None"
        for read in (client.get_loras, client.get_sd_vae, client.get_memory, client.get_embeddings, client.get_scripts):
            assert read()
        options = client.get_options()
        assert client.set_options({**options, "samples_format": "webp"}) is None
        assert client.get_options()["samples_format"] == "webp"
        client.set_options({"samples_format": "png"})

    def test_pictures_and_control(self, client: webuiapi.WebUIApi) -> None:
        made = client.txt2img(prompt="a cat", steps=2, width=64, height=64)
        assert client.png_info(made.image).info.startswith("a cat")
        assert client.extra_single_image(image=picture(), upscaler_1="Lanczos").image.size == (8, 8)
        assert client.get_progress()["progress"] == 0.0
        assert client.interrupt() == {}
        assert client.skip() is None


class TestAaa1111:
    """Reads every answer into types of its own."""

    @pytest.fixture
    def client(self, served: Served) -> aaa1111.AAA1111:
        return aaa1111.AAA1111(port=served.port)

    def test_generation(self, client: aaa1111.AAA1111) -> None:
        made = client.txt2img({"prompt": "a dog", "steps": 2, "width": 64, "height": 64, "seed": 5})
        assert [image.size for image in made.images] == [(8, 8)]
        assert client.img2img({"init_images": [picture()], "prompt": "b", "width": 64, "height": 64}).images
        assert client.extra_single_image({"image": picture(), "upscaler_1": "Lanczos"}).image

    def test_lists(self, client: aaa1111.AAA1111) -> None:
        assert client.samplers()[0].name == "DPM++ 2M"
        assert client.sd_models()[0].model_name == "tiny-sd1"
        assert client.progress().progress == 0.0
        for read in (
            client.upscalers, client.latent_upscale_modes, client.sd_vae, client.hypernetworks, client.prompt_styles,
            client.embeddings, client.scripts, client.loras, client.cmd_flags,
        ):  # fmt: skip
            assert read()
        client.interrupt()
        client.refresh_loras()
        client.unload_checkpoint()


class TestBackendClient:
    @pytest.fixture
    def client(self, served: Served) -> sd_backend_client.A1111Webservice:
        return sd_backend_client.A1111Webservice(f"http://127.0.0.1:{served.port}")

    def test_generation(self, client: sd_backend_client.A1111Webservice, served: Served) -> None:
        wanted = sd_backend_client.DiffusionParams(prompt="a fox", steps=3)
        made = client.txt2img(wanted)
        assert len(made["images"]) == 1
        assert served.engine.last.request.prompt == "a fox"

    def test_enlarging_by_tiles(self, client: sd_backend_client.A1111Webservice, served: Served) -> None:
        before = set(served.engine.jobs)
        wanted = sd_backend_client.DiffusionUpscalingParams(
            use_stable_diffusion_upscaling=True, upscaling_mode="Lanczos", step_count=2,
            tile_width=128, tile_height=128, seam_fix_mode="None",
            diffusion_params=sd_backend_client.DiffusionParams(prompt="a fox", seed=5),
        )  # fmt: skip
        made = client.upscale(picture(), 256, 128, wanted)
        assert made["images"][0].size == (256, 128)
        enlarged, *tiles = [served.engine.jobs[one].work for one in served.engine.jobs if one not in before]
        assert enlarged.task.kind == "upscale"
        assert [(tile.prompt, tile.steps) for tile in tiles] == [("a fox", 2)] * 2

    def test_lists_and_progress(self, client: sd_backend_client.A1111Webservice) -> None:
        assert "sd_model_checkpoint" in client.get_config()
        client.set_config({"CLIP_stop_at_last_layers": 2})
        assert client.progress_check().progress == 0.0
        assert client.get_styles()
        client.refresh_checkpoints()


def test_sd_parsers_reads_files_of_the_api(served: Served) -> None:
    client = webuiapi.WebUIApi(host="127.0.0.1", port=served.port)
    made = client.txt2img(prompt="a red fox", negative_prompt="", steps=7, seed=11, width=64, height=64)
    image: Image.Image = made.image
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("parameters", image.info["parameters"])
    image.save(buffer, "PNG", pnginfo=info)
    buffer.seek(0)
    found = ParserManager().parse(buffer)
    assert found is not None
    assert [prompt.value for prompt in found.prompts] == ["a red fox"]
    (sampler,) = found.samplers
    assert sampler.name == "Euler a"
    assert int(sampler.parameters["steps"]) == 7
