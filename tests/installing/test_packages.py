"""Packages of extensions: what changes is known exactly, what the program or another extension runs on stays."""

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.installing.making import folder_source, installer
from webui.domain.errors import WebuiError
from webui.installing.packages import PackageChange, Packages, PackagesError, installed_versions, needed_by
from webui.plugins.loader import folders

ROOT = Path(__file__).parents[2]
SHA = "ab" * 32
INSTALLED = {"numpy": "2.4.6", "pillow": "12.3.0", "onnx": "1.0", "rich": "14.0"}


class FakePip:
    """Answers a dry run with a report given as data, and remembers what it was asked."""

    def __init__(self, *report: tuple[str, str], error: str = "") -> None:
        self.report, self.error = report, error
        self.asked: list[tuple[str, ...]] = []
        self.constraints: list[str] = []

    def __call__(self, *arguments: str) -> None:
        self.asked.append(arguments)
        if "--dry-run" not in arguments:
            return
        self.constraints = Path(arguments[arguments.index("-c") + 1]).read_text().split("\n")
        if self.error:
            raise PackagesError(self.error)
        entries = [
            {
                "metadata": {"name": name, "version": version},
                "download_info": {"url": "u", "archive_info": {"hashes": {"sha256": SHA}}},
            }
            for name, version in self.report
        ]
        Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps({"version": "1", "install": entries}))

    def of(self, command: str) -> Sequence[str]:
        return next(one for one in self.asked if one[0] == command)


def packages(folder: Path, pip: FakePip, text: str = "numpy==2.4.6  # why\npillow==12.3.0\n") -> Packages:
    (folder / "requirements.txt").write_text(text)
    return Packages(folder / "requirements.txt", pip, lambda: INSTALLED)


def test_the_changes_are_those_of_the_report(tmp_path: Path) -> None:
    pip = FakePip(("opencv-python-headless", "4.10"), ("onnx", "1.2"))
    plan = packages(tmp_path, pip).plan(["opencv-python-headless>=4", "onnx>=1.1"], {"other": ("rich<15",)})
    assert plan == (PackageChange("onnx", "1.2", "1.0", SHA), PackageChange("opencv-python-headless", "4.10", "", SHA))
    assert [change.text for change in plan] == ["onnx 1.0 -> 1.2", "opencv-python-headless 4.10 (new)"]
    dry = pip.of("install")
    assert {"--dry-run", "--only-binary", ":all:"} <= set(dry)
    assert {"numpy==2.4.6", "pillow==12.3.0", "rich<15"} <= set(pip.constraints)


def test_what_is_there_needs_no_pip(tmp_path: Path) -> None:
    pip = FakePip()
    assert packages(tmp_path, pip).plan(["numpy>=2", "Pillow"], {}) == ()
    assert packages(tmp_path, pip).plan([], {}) == ()
    assert pip.asked == []


@pytest.mark.parametrize("need", ["numpy<2", "pillow==9.0", "Pillow ~= 11.0"])
def test_a_pinned_package_is_never_changed(tmp_path: Path, need: str) -> None:
    pip = FakePip()
    with pytest.raises(PackagesError, match=r"the program itself runs on (numpy 2.4.6|(p|P)illow 12.3.0)"):
        packages(tmp_path, pip).plan([need], {})
    assert pip.asked == []


def test_also_not_through_another_package(tmp_path: Path) -> None:
    told = (
        "ERROR: Cannot install old==1 because these package versions have conflicting dependencies.\n\n"
        "The conflict is caused by:\n    old 1 depends on numpy<2\n    The user requested (constraint) numpy==2.4.6\n"
    )
    with pytest.raises(
        PackagesError, match=r"old cannot be had together with numpy==2\.4\.6, on which the program runs"
    ):
        packages(tmp_path, FakePip(error=told)).plan(["old"], {})
    with pytest.raises(PackagesError, match=r"the program itself runs on numpy 2\.4\.6, which would become 1.0"):
        packages(tmp_path, FakePip(("numpy", "1.0"))).plan(["old"], {})


def test_nor_one_that_another_extension_needs(tmp_path: Path) -> None:
    told = "ERROR: conflict\n    The user requested rich>=15\n    The user requested (constraint) rich<15\n"
    with pytest.raises(PackagesError, match="rich>=15 cannot be had together with rich<15, which the extension other"):
        packages(tmp_path, FakePip(error=told)).plan(["rich>=15"], {"other": ("rich<15",)})


def test_a_package_without_a_wheel_or_a_hash_is_refused(tmp_path: Path) -> None:
    told = "ERROR: Could not find a version that satisfies the requirement nope\nERROR: No matching distribution"
    with pytest.raises(PackagesError, match="nope cannot be had: Could not find"):
        packages(tmp_path, FakePip(error=told)).plan(["nope"], {})


def test_what_the_program_needs_indirectly_is_held_too() -> None:
    held = Packages(ROOT / "requirements.txt").held(installed_versions())
    assert held["huggingface-hub"] == importlib.metadata.version("huggingface-hub")  # through diffusers
    assert held["torch"] == "2.13.0"
    assert "pytest" not in held
    assert "numpy" in needed_by("transformers")


def test_a_dry_run_against_this_environment(tmp_path: Path) -> None:
    """The one test that runs pip: no wheel is at hand, so nothing that is missing can be planned."""
    here = Packages(ROOT / "requirements.txt")
    version = importlib.metadata.version("markupsafe")
    assert here.plan([f"markupsafe=={version}"], {}) == ()
    with pytest.raises(PackagesError, match=r"markupsafe \S+, which is needed as markupsafe==0.0.1"):
        here.plan(["markupsafe==0.0.1"], {})
    pip_plan = here._dry_run([f"pluggy=={importlib.metadata.version('pluggy')}"], ["numpy==2.4.6"], {})
    assert pip_plan == []


def test_packages_are_tried_beside_the_environment_then_installed(tmp_path: Path) -> None:
    pip = FakePip(("tiny-thing", "1.0"))
    source = folder_source(tmp_path, manifest='needs = ["tiny-thing>=1"]')
    mine = installer(tmp_path, packages=packages(tmp_path, pip))
    plan = mine.plan_install(str(source))
    assert plan.rows()[6] == ("Package changes", "tiny-thing 1.0 (new)")
    with pytest.raises(WebuiError, match="needs tiny-thing>=1, which is not installed"):
        mine.apply(plan.token)  # nothing was downloaded: this pip only pretends
    assert [one[0] for one in pip.asked] == ["install", "download", "install"]
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(pip.asked[1])
    assert {"--no-index", "--target"} <= set(pip.asked[2])
    assert folders(tmp_path / "extensions") == ()


def test_a_real_wheel_is_installed_for_the_check_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--target` would hold is found by the check, before the program's own packages."""
    code = "import tiny_thing\n@hookimpl\ndef join_job(job):\n    return None\n"
    source = folder_source(tmp_path, code=code, manifest='needs = ["tiny-thing>=1"]')

    class Unpacking(FakePip):
        def __call__(self, *arguments: str) -> None:
            super().__call__(*arguments)
            if "--target" in arguments:
                target = Path(arguments[arguments.index("--target") + 1])
                (target / "tiny_thing-1.0.dist-info").mkdir(parents=True)
                (target / "tiny_thing-1.0.dist-info" / "METADATA").write_text("Name: tiny-thing\nVersion: 1.0\n")
                (target / "tiny_thing.py").write_text("")

    pip = Unpacking(("tiny-thing", "1.0"))
    mine = installer(tmp_path, packages=packages(tmp_path, pip))
    entry = mine.apply(mine.plan_install(str(source)).token)
    assert entry.packages == ("tiny-thing==1.0",)
    assert {"--no-index", "--no-deps", "tiny-thing==1.0"} <= set(pip.asked[3])
    assert "--target" not in pip.asked[3]
    assert mine.remove("good") == ("tiny-thing==1.0",)
