"""The pages: their commands are understood by the program, their Python runs, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

from bastzoo.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "SUPPORT.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]
# Before a block of Python that the suite does not run, with the reason.
MARK = re.compile(r"<!-- not run: .+ -->\n+\Z")
# Written with words to be replaced, or of other programs' making.
PLACEHOLDERS = {"..."}


def commands() -> list[tuple[str, str]]:
    """Every command line of bastzoo in an indented or fenced block, with its page."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = re.sub(r" ?\\\n *", " ", page.read_text(encoding="utf-8"))
        lines = re.findall(r"^(?: {4}|\$ )(bastzoo .+)$", text, re.MULTILINE)
        found += [(str(page.relative_to(ROOT)), line) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_page_is_one_that_the_program_understands(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    for end in ("|", ">", "&&", ";", "&"):
        words = words[: words.index(end)] if end in words else words
    if PLACEHOLDERS & {*words}:
        pytest.skip("a pattern of command lines, not one")
    command: click.Command = cli
    context = click.Context(cli, info_name="bastzoo")
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    # Which options and how many arguments there are; whether a file is there is not asked.
    parser = command.make_parser(context)
    parser.parse_args(list(rest))


def blocks(page: Path) -> list[tuple[str, str]]:
    """What stands before each block of Python of a page, and the block."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: found.start()], found[1])
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


# The README's plugin is run by test_readme.py, those of plugins.md by test_hookspecs.py.
RUN = [page for page in PAGES if blocks(page) and page.name not in ("README.md", "plugins.md")]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_or_says_why_not(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(
        tmp_path
    )  # with what pages speak of: a recording, runs, the boards of a clone
    noise = np.random.default_rng(0).normal(size=(32_000, 2)) / 10
    soundfile.write("recording.wav", noise, 16_000)
    (tmp_path / "runs").symlink_to(ROOT / "leaderboards" / "records" / "quick")
    (tmp_path / "leaderboards").symlink_to(ROOT / "leaderboards")
    scope: dict[str, object] = {}
    for before, code in blocks(page):
        if not MARK.search(before):
            exec(compile(code, str(page), "exec"), scope)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(((?!https?:|#|mailto:)[^)\s]+)\)", text):
        assert (page.parent / target.partition("#")[0]).exists(), target
