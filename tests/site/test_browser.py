"""The pages in a real browser, opened from a file, with networking off.

Chromium: `apt-get install chromium` (or `make browser`, which gets axe-core too, into .cache/).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastzoo.site.pages import write_site
from tests.records.made import keep, model_record
from tests.site.made import HOSTILE, renamed, runs

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install 'bastzoo[dev]'"
)
CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / ".cache" / "package" / "axe.min.js"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
    # asyncio's own notices, when playwright closes its pipe.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    hostile = [renamed(model_record(30.0 + i), name) for i, name in enumerate(HOSTILE)]
    write_site(folder / "site", [keep(folder / "runs", *runs(), *hostile)])
    return folder / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        # A container's root has no sandbox; the pages are our own.
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: playwright.Browser, site: Path) -> Iterator[playwright.Page]:
    """The boards; a message on the console, an error, or a request to a network fails the test."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    said: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("dialog", lambda dialog: said.append(dialog.message))
    shown.on("request", lambda r: r.url.startswith(("file:", "data:")) or said.append(r.url))
    shown.goto((site / "index.html").as_uri())
    yield shown
    context.close()
    assert said == []


def models(page: playwright.Page) -> list[str]:
    """The names of the models that the first board shows, from top to bottom."""
    return page.locator(".board >> nth=0 >> tbody.model tr:visible th a").all_inner_texts()


def test_a_header_sorts_by_number_and_back_also_from_the_keyboard(page: playwright.Page) -> None:
    before = models(page)
    header = page.locator(".board >> nth=0 >> thead button", has_text="AD").first
    header.focus()
    page.keyboard.press("Enter")
    assert models(page) == before  # best first already
    page.keyboard.press("Enter")
    assert models(page) == before[::-1]
    assert page.locator("th[aria-sort=descending]").count() == 1


def test_filters_leave_what_fits_and_the_baselines(page: playwright.Page) -> None:
    page.select_option("[data-facet=backbone]", "vanilla")
    assert models(page) == ["BAST-SP", "BAST-SP"]
    page.select_option("[data-facet=integration]", "ADD")
    assert models(page) == ["BAST-SP"]
    assert page.locator("tbody.baseline tr:visible", has_text="ITD").count() == 1
    assert "1 of" in page.locator("#status").inner_text()
    page.click("text=Show all")
    page.select_option("[data-facet=track]", "snr")
    assert page.locator(".board:visible h2").all_inner_texts() == ["Track snr, preset quick"]
    page.click("text=Show all")
    page.fill("#words", "<script>")
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('1 of')")


def test_a_row_leads_to_its_page_and_two_to_the_comparison(page: playwright.Page) -> None:
    page.locator("tbody.model th a").first.click()
    assert page.locator("h1").inner_text() == "BAST-Mamba-SP, Hybrid, Sub."
    assert page.locator("a[download]").count() == 2
    page.go_back()
    boxes = page.locator(".board >> nth=0 >> tbody.model .pick input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.click("#chosen-link")
    assert "the first is better" in page.locator("#comparison").inner_text()
    page.select_option("#a", index=1)
    assert page.locator("#comparison h2").count() >= 2


def test_nothing_is_wider_than_a_phone(page: playwright.Page, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    some = next((site / "runs").glob("*.html"))
    for path in (site / "index.html", site / "compare.html", some):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: make browser (npm pack axe-core)")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_of_a_or_aa(page: playwright.Page, site: Path, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    some = next((site / "runs").glob("*.html"))
    # The dark theme differs in colours alone, and the boards have all of them.
    others = [site / "compare.html", site / "figures.html", some] * (theme == "light")
    for path in (site / "index.html", *others):
        page.goto(path.as_uri())
        page.evaluate(AXE.read_text())
        tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']"
        found = page.evaluate(
            f"axe.run({{preload: false, runOnly: {{type: 'tag', values: {tags}}}}})"
        )
        wrong = [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found["violations"]]
        assert wrong == [], path.name
