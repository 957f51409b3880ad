"""The wheel and the sdist: what they carry, and that ``demo`` runs from the wheel in an empty environment.

The environment gets the wheel and exactly the run-time dependencies that the wheel declares, linked from the one that
runs the tests: nothing is downloaded, and a dependency that was forgotten in pyproject.toml is really absent.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
DATA = "kojin_card/_data"

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it (not from the checkout): what a packager would get."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(pattern) if path.is_file()}


def test_the_wheel_carries_every_module_and_every_data_file(distributions: tuple[Path, Path]) -> None:
    names = wheel_names(distributions[1])
    expected = {f"{DATA}/applets_spec/{name}" for name in tracked("applets_spec", "*.toml")}
    expected |= {f"{DATA}/fixtures/personas/{name}" for name in tracked("fixtures/personas", "*.toml")}
    expected |= {f"{DATA}/fixtures/pki/{name}" for name in tracked("fixtures/pki", "*.toml")}
    assert len([name for name in expected if "/applets_spec/" in name]) >= 3
    assert any("/personas/" in name for name in expected)
    assert any("/pki/" in name for name in expected)
    expected |= {
        f"kojin_card/{name}" for name in tracked("src/kojin_card", "*") if "__pycache__" not in name
    }  # modules, profiles, trust anchors, the words of messages
    assert "kojin_card/py.typed" in expected
    assert expected <= names


def test_the_wheel_carries_nothing_else(distributions: tuple[Path, Path]) -> None:
    names = wheel_names(distributions[1])
    info = {name for name in names if re.match(r"kojin_card-[^/]+\.dist-info/", name)}
    assert any(name.endswith("licenses/LICENSE") for name in info)
    assert {name.split("/")[0] for name in names - info} == {"kojin_card"}
    assert not {name for name in names if "transcripts" in name or "tests" in name.split("/") or name.endswith(".apdu")}


def test_the_sdist_carries_what_the_wheel_and_the_tests_are_made_of(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "README.md", "README.ja.md", "SECURITY.md"}
    wanted |= {f"applets_spec/{name}" for name in tracked("applets_spec", "*.toml")}
    wanted |= {f"fixtures/{name}" for name in tracked("fixtures", "*.toml") | tracked("fixtures", "*.apdu")}
    wanted |= {f"tests/{name}" for name in tracked("tests", "*.py")}
    assert wanted <= names
    assert not {name for name in names if name.startswith((".venv", ".git/", "site/", "dist/"))}


def test_the_wheel_brings_the_pytest_plugin_but_not_pytest(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[1]) as archive:
        names = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        points = archive.read(names["entry_points.txt"]).decode()
        about = email.message_from_bytes(archive.read(names["METADATA"]))
    assert "[pytest11]\nkojin_card = kojin_card.testing.plugin" in points
    assert "kojin_card/testing/plugin.py" in wheel_names(distributions[1])
    wanted = [text for text in about.get_all("Requires-Dist") or [] if text.startswith("pytest")]
    assert wanted
    assert all("extra ==" in text for text in wanted)
    assert "testing" in (about.get_all("Provides-Extra") or [])


def closure(requirements: Iterable[str], found: dict[str, metadata.Distribution]) -> None:
    """Every distribution that ``requirements`` lead to here, by normalised name."""
    for text in requirements:
        requirement = Requirement(text)
        extras = requirement.extras or {""}
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            continue
        if name not in found:
            found[name] = metadata.distribution(name)
            closure(_applicable(found[name].requires or [], extras), found)


def _applicable(requirements: Iterable[str], extras: set[str]) -> list[str]:
    """The requirements that hold with these extras, their markers done with."""
    kept = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            requirement.marker = None
            kept.append(str(requirement))
    return kept


def link_into(site: Path, distribution: metadata.Distribution) -> None:
    """Make one installed distribution importable from ``site``."""
    for entry in {Path(str(file)).parts[0] for file in distribution.files or ()}:
        origin = Path(str(distribution.locate_file(entry)))
        link = site / entry
        if entry not in ("..", "__pycache__") and origin.exists() and not link.exists():
            link.symlink_to(origin)


@pytest.fixture(scope="module")
def empty_environment(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and its declared run-time dependencies; the folder of its programs."""
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    subprocess.run([*install, str(distributions[1])], env=environment, check=True, capture_output=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    with zipfile.ZipFile(distributions[1]) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        declared = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    found: dict[str, metadata.Distribution] = {}
    closure(_applicable(declared, set()), found)
    for distribution in found.values():
        link_into(site, distribution)
    assert not {"pytest", "hypothesis", "mypy", "kojin-card"} & found.keys()
    return venv / "bin"


def run(program: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an installed program far from the checkout, with a home and a temporary folder of its own."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    command = [str(program), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def test_the_installed_package_is_the_one_from_the_wheel(empty_environment: Path, tmp_path: Path) -> None:
    code = (
        "import kojin_card, kojin_card.resources as r, pathlib; print(pathlib.Path(kojin_card.__file__).parent);"
        "print(r.data_root('applets_spec').joinpath('jpki.toml').is_file(), r.data_root('fixtures/pki').is_dir())"
    )
    done = run(empty_environment / "python", "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    where, data = done.stdout.splitlines()
    assert Path(where).is_relative_to(empty_environment.parent)
    assert data == "True True"


def test_demo_runs_from_the_wheel(empty_environment: Path, tmp_path: Path) -> None:
    done = run(empty_environment / "kojin-card", "demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "TOTAL_PASSED" in done.stdout
    assert str(ROOT) not in done.stdout + done.stderr


def test_documents_for_each_verdict_need_no_pytest(empty_environment: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from kojin_card.testing import pin, verdict_document as d;"
        "print(d('passed.pdf').judge().indication, pin('adult', 'pin'), 'pytest' in sys.modules)"
    )
    done = run(empty_environment / "python", "-c", code, folder=tmp_path)
    assert done.stdout.split() == ["TOTAL_PASSED", "Secret(***)", "False"], done.stderr


def test_pytest_finds_the_plugin_of_the_wheel(empty_environment: Path, tmp_path: Path) -> None:
    """pytest is linked into a folder of its own: the environment itself stays without it."""
    found: dict[str, metadata.Distribution] = {}
    closure(["pytest"], found)
    (tmp_path / "site").mkdir()
    for distribution in found.values():
        link_into(tmp_path / "site", distribution)
    project = tmp_path / "project"
    project.mkdir()
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    (project / "test_contract.py").write_text(page.split("```python\n")[1].split("```")[0], "utf-8")
    code = f"import sys; sys.path.append({str(tmp_path / 'site')!r}); import pytest; sys.exit(pytest.main(['-q']))"
    done = run(empty_environment / "python", "-c", code, folder=project)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout
