"""Settings of the static book; `make book` builds it (see book/build.py)."""

project = "Deep generative models"
author = "The genlib authors"
html_title = "Deep generative models, with pictures that answer"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinxcontrib.bibtex",
]
# The notebooks are shown as they are stored.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # else pages load scripts from elsewhere
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build"]
# Docstrings put code in single or double backquotes.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = True

html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navbar_persistent": [],
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["explorer.js", "course.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it fetches, which a page opened from disk may not
mathjax_path = "mathjax/tex-chtml-full.js"
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
