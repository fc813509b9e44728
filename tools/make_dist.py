"""Build what is published: the wheel and the source archive, in dist/.

    python -m tools.make_dist [--repository https://github.com/OWNER/REPOSITORY]

They are built from a copy, in build/dist-source, which holds what belongs to them and nothing of an
earlier build. With the address of the repository the package's page names it, and the links of the
README lead there; without it the README has links that only the repository can follow.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "dist-source"
BELONGS = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")

_LINK = re.compile(r"(?P<picture>!?)(?P<text>\[[^]]*\]\()(?!https?:|#)(?P<link>[^)\s]+)")
_BUILD = "from setuptools import build_meta as b; b.build_sdist(r'{0}'); b.build_wheel(r'{0}')"


def absolute_links(readme: str, repository: str) -> str:
    """The README with its links to files of the repository as addresses."""

    def absolute(found: re.Match[str]) -> str:
        kind = "raw" if found["picture"] else "blob"
        return f"{found['picture']}{found['text']}{repository}/{kind}/HEAD/{found['link']}"

    return _LINK.sub(absolute, readme)


def project_urls(repository: str) -> str:
    """The table of pyproject.toml that names where the project lives."""
    return (
        f'\n[project.urls]\nRepository = "{repository}"\nIssues = "{repository}/issues"\n'
        f'Changelog = "{repository}/blob/HEAD/CHANGELOG.md"\n'
    )


def copy_source(repository: str | None) -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    for name in BELONGS:
        shutil.copy(ROOT / name, SOURCE)
    for folder in ("glmmtools", "data"):
        shutil.copytree(ROOT / folder, SOURCE / folder, ignore=NOT_COPIED)
    (SOURCE / "MANIFEST.in").write_text("include CHANGELOG.md CITATION.cff\n", encoding="utf-8")
    if repository:
        readme = SOURCE / "README.md"
        text = absolute_links(readme.read_text(encoding="utf-8"), repository)
        readme.write_text(text, encoding="utf-8")
        with (SOURCE / "pyproject.toml").open("a", encoding="utf-8") as settings:
            settings.write(project_urls(repository))


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the wheel and the source archive.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--repository", help="https://github.com/OWNER/REPOSITORY")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    copy_source(asked.repository and asked.repository.rstrip("/"))
    for old in folder.glob("glmmtools-*"):
        old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _BUILD.format(folder)]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    print(*sorted(path.name for path in folder.glob("glmmtools-*")), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
