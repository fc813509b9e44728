"""What tools/build_site.py makes of a lesson before Sphinx reads it."""

from __future__ import annotations

import pytest

from tools.build_site import in_the_typeface_of_the_text, ways_to_run


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("of $15$ herds and $-0.7$", "of 15 herds and −0.7"),
        ("$12\\,000$", "12\N{NARROW NO-BREAK SPACE}000"),
        ("$x = 3$, $2/101$ and $1 - \\mu$", "$x = 3$, $2/101$ and $1 - \\mu$"),
        ("`$15$`, $$15$$ and ```\n$15$\n```", "`$15$`, $$15$$ and ```\n$15$\n```"),
        ("from $a$ 15 $b$", "from $a$ 15 $b$"),
    ],
)  # fmt: skip
def test_a_plain_number_in_the_text_is_text(source, expected):
    assert in_the_typeface_of_the_text(source) == expected


def test_without_an_address_a_lesson_offers_its_file_alone():
    assert ways_to_run("05", None).count("<a ") == 1


def test_on_github_a_lesson_is_run_on_binder_and_colab():
    links = ways_to_run("05", "https://github.com/me/course.git@v1/x")
    assert (
        "https://mybinder.org/v2/gh/me/course/v1%2Fx?urlpath=lab%2Ftree%2Fmy-course%2F05.ipynb"
        in links
    )
    assert "https://colab.research.google.com/github/me/course/blob/colab/05.ipynb" in links


def test_elsewhere_a_lesson_is_run_on_binder_only():
    links = ways_to_run("05", "https://git.example.org/me/course")
    assert "https://mybinder.org/v2/git/https%3A%2F%2Fgit.example.org%2Fme%2Fcourse/HEAD?" in links
    assert "colab" not in links
