"""Sphinx' settings of the reading site. tools/build_site.py lays the sources out and runs it."""

from importlib.metadata import version as version_of
from importlib.resources import files
from pathlib import Path

from tools.site_api import aliases

project = "Generalized linear mixed models in Python"
author = "the glmmtools course"
version = release = version_of("glmmtools")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "tools.site_html",
]
nb_execution_mode = "off"  # the stored outputs are tested; nothing is computed again
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
nb_ipywidgets_js = {}  # else a content network
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

autosummary_generate = False  # tools/site_api.py writes the pages
add_module_names = False
toc_object_entries_show_parents = "hide"
default_role = "py:obj"  # `name` in a docstring leads to the page of that name, where it has one
autodoc_typehints = "none"  # numpydoc's sections name the types
napoleon_use_rtype = False
napoleon_use_ivar = True  # fields that have a description of their own are not described twice
napoleon_preprocess_types = True
napoleon_type_aliases = aliases()
napoleon_custom_sections = ["Warns"]

html_theme = "sphinx_book_theme"
html_title = project
html_show_copyright = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # else a second search bar
    "show_toc_level": 2,
    "max_navbar_depth": 1,  # a deeper list has buttons without a name
}
html_css_files = ["course.css"]
html_js_files = ["course.js", "choices.js"]
html_extra_path = [
    str(Path(__file__).parents[1] / "build" / "site-files")
]  # the notebooks as files

# MathJax comes with the package django-static-mathjax: pages ask no content network. `tex-svg.js`
# without `-full` breaks a page that uses \boldsymbol.
mathjax = files("mathjax") / "static" / "mathjax" / "es5" / "tex-svg-full.js"
html_static_path = ["_static", str(mathjax)]
mathjax_path = mathjax.name
