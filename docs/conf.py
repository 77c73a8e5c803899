"""The site: `make docs` builds it from the Markdown of the repository, so links are the same in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import bastzoo

project = "bastzoo"
author = "the bastzoo authors"
copyright = author  # noqa: A001 - Sphinx's name
version = release = bastzoo.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_click"]
root_doc = "docs/index"
include_patterns = [
    *("docs/**.md", "docs/**.ipynb", "leaderboards/*.md", "benchmarks/*.md", "plugins/*/README.md"),
    *("bastzoo/assets/models/*/README.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("SECURITY.md", "SUPPORT.md", "CODE_OF_CONDUCT.md", "tests/parity/README.md"),
]
exclude_patterns = [".*", "build", "dist", "runs"]

nb_execution_mode = "off"  # `make notebooks` runs them, and the suite
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
default_role = "code"  # one backtick in a docstring is code, as in Markdown
autodoc_typehints = "signature"

autodoc_member_order = "bysource"
autodoc_mock_imports: list[str] = []

html_theme = "furo"
html_title = f"bastzoo {release}"
html_show_sourcelink = False
html_baseurl = ""
templates_path: list[str] = []


# Named by a pattern, on a page of their own.
_GATHERED = ("docs/design/", "leaderboards/", "benchmarks/")


def pages_without_a_place(app: Sphinx, document: str, source: list[str]) -> None:
    """List the pages that no navigation names under `Further pages`, where a new one first appears."""
    if document != root_doc:
        return
    named = set(re.findall(r"^(/[\w/.-]+)$", source[0], re.MULTILINE))
    named |= {f"/{name}" for name in app.env.found_docs if name.startswith(_GATHERED)}
    rest = sorted({f"/{name}" for name in app.env.found_docs} - named - {f"/{root_doc}"})
    source[0] = source[0].replace("% further pages", "\n".join(rest))


_FIELD = re.compile(r"^[a-z_]\w*(?:, [a-z_]\w*)*: (?=\S)")


def fields_of_docstrings(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Make a list of `name: what it is` in a docstring a field list, as it reads in the source."""
    told: list[str] = []
    inside = False
    for line in lines:
        if _FIELD.match(line):
            if not inside:
                told.append("")
            name, _, rest = line.partition(": ")
            line, inside = f":{name}: {rest}", True
        elif inside and line and not line.startswith(" "):
            told.append("")
            inside = False
        told.append(line)
    lines[:] = told


def stars_as_stars(app: Sphinx, context: object, lines: list[str]) -> None:
    """A star in a help text is a star, not the beginning of emphasis."""
    lines[:] = [re.sub(r"(?<![\s*])\*(?!\*)", r"\\*", line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    assert Path(bastzoo.__file__).is_relative_to(Path(app.srcdir)), "another bastzoo is imported"
    app.connect("source-read", pages_without_a_place)
    app.connect("autodoc-process-docstring", fields_of_docstrings)
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", stars_as_stars)
    return {"parallel_read_safe": True}
