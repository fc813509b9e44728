"""The README's example prints what the README says, and its links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_example_prints_the_result_shown():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue().strip() == shown.strip()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "notebooks/README.md"])
def test_links_to_files_lead_somewhere(name):
    page = ROOT / name
    targets = re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text())
    assert targets or name == "CONTRIBUTING.md"
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_the_test_command_of_ci_is_the_readmes():
    assert "make test" in README
    assert "make test" in (ROOT / ".ci" / "run").read_text()
