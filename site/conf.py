"""Sphinx' settings of the reading site. tools/build_site.py lays the sources out and runs it."""

from importlib.metadata import version as version_of
from importlib.resources import files

project = "Generalized linear mixed models in Python"
author = "the glmmtools course"
version = release = version_of("glmmtools")
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
nb_execution_mode = "off"  # the stored outputs are tested; nothing is computed again
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
nb_ipywidgets_js = {}  # else a content network
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

autosummary_generate = True
# FittedModel is documented with what it inherits from Fit; warnings without what Python gives them
autodoc_default_options = {"members": True, "inherited-members": "BaseException"}
autodoc_typehints = "none"  # numpydoc's sections name the types
napoleon_use_rtype = False
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

# MathJax comes with the package django-static-mathjax: pages ask no content network. `tex-svg.js`
# without `-full` breaks a page that uses \boldsymbol.
mathjax = files("mathjax") / "static" / "mathjax" / "es5" / "tex-svg-full.js"
html_static_path = ["_static", str(mathjax)]
mathjax_path = mathjax.name
