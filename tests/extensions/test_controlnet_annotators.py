"""Preprocessors that draw from single files of weights: their networks, their maps, and where their files lie."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from extensions.controlnet.actions import ACTIONS
from extensions.controlnet.anime_faces import COLOURS
from extensions.controlnet.annotated_maps import DRAWN_FROM_FILES, annotated, as_scribble, stepped
from extensions.controlnet.annotator_files import ANNOTATOR_FILES, files_of
from extensions.controlnet.annotator_weights import annotator, pixels_of_map
from extensions.controlnet.manga_lines import printed_lines
from extensions.controlnet.maps import Map
from extensions.controlnet.modules import MODULES
from extensions.controlnet.preprocessors import Settings, standard_lines
from extensions.controlnet.surface_normals import MEAN, SPREAD, surface_normals
from extensions.controlnet.wireframes import found_lines, lines_of_rooms
from tests.extensions.annotator_networks import AnimeLines, Hed, PhotoLines, PrintedLines, Teed, drawn_weights, save
from tests.extensions.map_models import models_of
from tests.extensions.mobile_networks import AnimeFace, Mlsd
from tests.extensions.normal_networks import Normals
from webui.domain.errors import BadRequestError, UnusableFileError
from webui.extension_api.action import ActionContext

pytestmark = pytest.mark.usefixtures("pickles_here")
CPU = torch.device("cpu")
NOISE: Map = cv2.GaussianBlur(
    np.random.RandomState(0).randint(0, 256, (64, 128, 3)).astype(np.uint8), (0, 0), 2.0
).astype(np.uint8)
SETTINGS = Settings(64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small files of every network."""
    root = tmp_path_factory.mktemp("models")
    place = root / "ControlNetPreprocessor"
    save(drawn_weights(Hed()), place / "hed" / "ControlNetHED.pth")
    save(drawn_weights(PhotoLines()), place / "lineart" / "sk_model.safetensors")
    save(drawn_weights(PhotoLines(), seed=1), place / "sk_model2.safetensors")  # flat, as Forge keeps it
    save(drawn_weights(AnimeLines()), place / "lineart_anime" / "netG.pth", wrapper="module.")
    save(drawn_weights(PrintedLines()), place / "manga_line" / "erika.safetensors")
    save(drawn_weights(Teed()), place / "TEED" / "7_model.safetensors")
    save(drawn_weights(Teed(), seed=2), place / "TEED" / "MTEED.safetensors")
    save(drawn_weights(Mlsd()), place / "mlsd" / "mlsd_large_512_fp32.safetensors")
    save(drawn_weights(Normals()), place / "normal_bae" / "scannet.safetensors", wrapper="model.module.")
    save(drawn_weights(AnimeFace()), place / "anime_face_segment" / "UNet.safetensors")
    return root


@pytest.fixture(scope="module")
def models(folder: Path) -> Any:
    return models_of(folder)


def drawn(module: str, models: Any, settings: Settings = SETTINGS) -> np.ndarray[Any, Any]:
    return annotated(module, models, CPU)(NOISE, settings)


def run(route: str, models: Any, **given: Any) -> Any:
    action = next(one for one in ACTIONS if route in one.routes)
    context = ActionContext(models, lambda *told: None, lambda: False, CPU, torch.float32)
    return action.run(action.options.model_validate(given), context).data


def close(made: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    """Equal but for the rounding of single pixels."""
    assert made.shape == (*expected.shape, 3)
    assert np.abs(made[:, :, 0].astype(int) - expected.astype(int)).max() <= 1
    assert made.std() > 1


def test_soft_edges_are_the_mean_of_five_answers(models: Any) -> None:
    with torch.inference_mode():
        maps = [one[0, 0].numpy() for one in drawn_weights(Hed())(pixels_of_map(NOISE))]
    sizes = [cv2.resize(one, (128, 64), interpolation=cv2.INTER_LINEAR) for one in maps]
    values = 1 / (1 + np.exp(-np.mean(np.stack(sizes), 0).astype(np.float64)))
    close(drawn("softedge_hed", models), (values * 255).clip(0, 255).astype(np.uint8))
    safe = drawn("softedge_hedsafe", models)
    assert set(np.unique(safe)) <= {0, 127, 255}


@pytest.mark.parametrize(("module", "seed"), [("lineart_realistic", 0), ("lineart_coarse", 1)])
def test_lines_of_photographs_are_white_on_black(module: str, seed: int, models: Any) -> None:
    with torch.inference_mode():
        lines = drawn_weights(PhotoLines(), seed)(pixels_of_map(NOISE) / 255)[0, 0].numpy()
    close(drawn(module, models), 255 - (lines * 255).clip(0, 255).astype(np.uint8))


def test_lines_of_drawings_are_made_at_multiples_of_256(models: Any) -> None:
    seen = cv2.resize(NOISE, (256, 256), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    with torch.inference_mode():
        made = drawn_weights(AnimeLines())(pixels_of_map(seen) / 127.5 - 1)[0, 0].numpy() * 127.5 + 127.5
    lines = cv2.resize(made, (128, 64), interpolation=cv2.INTER_CUBIC)
    close(drawn("lineart_anime", models), 255 - lines.clip(0, 255).astype(np.uint8))


def teed_values(seed: int) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        maps = [one[0, 0].numpy() for one in drawn_weights(Teed(), seed)(pixels_of_map(NOISE))]
    sizes = [cv2.resize(one, (128, 64), interpolation=cv2.INTER_LINEAR) for one in maps]
    values: np.ndarray[Any, Any] = 1 / (1 + np.exp(-np.mean(np.stack(sizes), 0)))
    return values


def test_teed_averages_three_sizes_and_their_fusion(models: Any) -> None:
    smooth = drawn("softedge_teed", models, Settings(64, threshold_a=0))
    close(smooth, (teed_values(0) * 255).clip(0, 255).astype(np.uint8))
    assert len(np.unique(drawn("softedge_teed", models, Settings(64, threshold_a=2)))) <= 4


def test_anyline_keeps_faint_patches_but_no_specks(models: Any) -> None:
    made = drawn("softedge_anyline", models, Settings(64, threshold_a=0))[:, :, 0].astype(int)
    edges = (teed_values(2) * 255).clip(0, 255).astype(np.uint8).astype(int)
    differs = np.abs(made - edges) > 1
    faint = standard_lines(NOISE) == 1
    assert not (differs & ~faint).any()
    assert (made[differs] == 1).all()


def test_straight_lines_are_found_and_drawn(models: Any) -> None:
    ones = torch.ones(1, 1, 64, 128)
    seen = torch.cat([pixels_of_map(NOISE), ones], 1) / 127.5 - 1
    with torch.inference_mode():
        expected = drawn_weights(Mlsd())(seen)
    [path] = files_of("mlsd", models)
    network = annotator(models, path, lines_of_rooms, CPU, channels=4)
    torch.testing.assert_close(network(seen), expected, rtol=1e-4, atol=1e-5)
    answer = torch.full((9, 32, 64), -9.0)
    answer[:, 10, 20] = torch.tensor([3.0, -15.0, -5.0, 15.0, 5.0, 0, 0, 0, 0])
    answer[0, 10, 21] = 2.9  # beside a surer centre, so it does not count
    answer[:, 30, 40] = torch.tensor([3.0, 0.0, 0.0, 0.0, 0.1, 0, 0, 0, 0])  # too short
    assert found_lines(answer, 0.1, 0.2).tolist() == [[5.0, 5.0, 35.0, 15.0]]
    made = drawn("mlsd", models, Settings(64, threshold_a=0.1, threshold_b=0.1))
    assert set(np.unique(made)) == {0, 255}


def test_parts_of_faces_have_colours_of_their_own(models: Any) -> None:
    picture = cv2.resize(NOISE, (1024, 512), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    with torch.inference_mode():
        parts = drawn_weights(AnimeFace())(pixels_of_map(picture) / 255)[0].argmax(0).numpy()
    made = annotated("seg_anime_face", models, CPU)(picture, Settings(512))
    assert (made != np.array(COLOURS, np.uint8)[parts]).any(axis=2).mean() < 0.001
    assert len(np.unique(made.reshape(-1, 3), axis=0)) > 1


def test_lines_of_prints_are_read_from_grey(models: Any) -> None:
    grey = torch.from_numpy(cv2.cvtColor(NOISE, cv2.COLOR_RGB2GRAY).astype(np.float32))[None, None]
    with torch.inference_mode():
        lines = drawn_weights(PrintedLines())(grey)[0, 0].numpy()
    made = drawn("lineart_anime_denoise", models)
    assert np.abs(made[:, :, 0] - (255 - lines).clip(0, 255).astype(np.uint8).astype(int)).max() <= 1
    [path] = files_of("lineart_anime_denoise", models)
    answer = annotator(models, path, printed_lines, CPU, channels=1)(grey)[0, 0].numpy()
    np.testing.assert_allclose(answer, lines, rtol=1e-4, atol=1e-3)
    assert lines.std() > 0.1


def test_surface_normals_are_directions_as_colours(models: Any) -> None:
    seen = (pixels_of_map(NOISE) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
    with torch.inference_mode():
        expected = drawn_weights(Normals())(seen)[:, :3]
    [path] = files_of("normal_bae", models)
    answer = annotator(models, path, surface_normals, CPU, below="model.")(pixels_of_map(NOISE) / 255)
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer.norm(dim=1), torch.ones(1, 64, 128), rtol=1e-4, atol=1e-4)
    colours = ((expected[0].permute(1, 2, 0).numpy() + 1) / 2 * 255).clip(0, 255).astype(np.uint8)
    assert np.abs(drawn("normal_bae", models).astype(int) - colours).max() <= 1
    assert colours.std() > 1


def test_a_scribble_follows_the_ridge_of_a_soft_edge(models: Any) -> None:
    soft = np.zeros((64, 64), np.uint8)
    cv2.line(soft, (32, 0), (32, 63), 255, 5)
    stroke = as_scribble(cv2.GaussianBlur(soft, (0, 0), 1.0).astype(np.uint8))
    assert set(np.unique(stroke)) == {0, 255}
    assert stroke[32, 32] == 255
    assert stroke[32, 5] == stroke[32, 60] == 0
    assert set(np.unique(drawn("scribble_hed", models))) <= {0, 255}


def test_safe_edges_have_few_levels() -> None:
    values = np.linspace(0, 0.999, 1000, dtype=np.float32)
    assert set(np.unique(stepped(values, 2))) == {0.0, 0.5, 1.0}


def test_a_map_has_the_resolution_that_was_asked_for(models: Any) -> None:
    assert drawn("softedge_hed", models, Settings(96)).shape == (96, 192, 3)


def test_the_list_says_what_can_be_used_now(models: Any, tmp_path: Path) -> None:
    there = run("GET /controlnet/module_list", models)["module_detail"]
    none = run("GET /controlnet/module_list", models_of(tmp_path))["module_detail"]
    for name in DRAWN_FROM_FILES:
        assert there[name]["available"], name
        assert not none[name]["available"]
        assert none[name]["needs"].startswith("models/ControlNetPreprocessor/")
    assert none["softedge_hed"]["needs"] == "models/ControlNetPreprocessor/hed/ControlNetHED.pth"


@pytest.mark.parametrize("module", ANNOTATOR_FILES)
def test_a_missing_file_is_said_with_its_name_and_folder(module: str, tmp_path: Path) -> None:
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
    first = ANNOTATOR_FILES[module][0]
    said = f"{module} needs {first.name}; put it in models/ControlNetPreprocessor/{first.folder}"
    with pytest.raises(BadRequestError, match=said.replace("+", r"\+")):
        run("POST /controlnet/detect", models_of(tmp_path), module=module, image=picture)


def test_every_file_belongs_to_a_module_that_names_it() -> None:
    for module, files in ANNOTATOR_FILES.items():
        assert MODULES[module].needs, module
        assert len({one.folder for one in files}) == 1, module


def test_the_file_in_its_own_folder_comes_first(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "ControlNetPreprocessor"
    save(drawn_weights(PhotoLines(), seed=5), place / "a" / "ControlNetHED.safetensors")
    save(drawn_weights(Hed()), place / "hed" / "ControlNetHED.safetensors")
    assert drawn("softedge_hed", models_of(tmp_path)).shape == (64, 128, 3)


def test_another_network_under_the_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ControlNetPreprocessor" / "hed" / "ControlNetHED.safetensors"
    save(drawn_weights(PhotoLines()), path)
    with pytest.raises(UnusableFileError, match=r"ControlNetHED\.safetensors: the tensor norm is missing"):
        drawn("softedge_hed", models_of(tmp_path))
    wrong = drawn_weights(Hed())
    wrong.get_submodule("block2").projection = torch.nn.Conv2d(5, 1, 1)
    save(wrong, path)
    with pytest.raises(UnusableFileError, match="do not fit together"):
        drawn("softedge_hed", models_of(tmp_path))
