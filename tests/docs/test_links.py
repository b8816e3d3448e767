"""Links between documents lead somewhere, and every document is on the list."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for folder in ("*.md", "docs/**/*.md", "benchmarks/*.md") for page in sorted(ROOT.glob(folder))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def local_links(page: Path) -> Iterator[tuple[Path, str]]:
    text = re.sub(r"`[^`\n]*`", "`", without_blocks(page))  # brackets mean something else in code
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def without_blocks(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> list[str]:
    """As GitHub makes them of headings, and those that are set by hand."""
    text = without_blocks(page)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    made = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return made + re.findall(r'<a id="([^"]+)">', text)


@each_page
def test_every_link_to_another_document_leads_to_it(page: Path) -> None:
    broken = [
        f"{path}#{anchor}"
        for path, anchor in local_links(page)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]
    assert broken == []


@each_page
def test_no_two_places_of_a_page_have_one_anchor(page: Path) -> None:
    found = anchors(page)
    assert [anchor for anchor in set(found) if found.count(anchor) > 1] == []


def test_every_document_is_on_the_list() -> None:
    listed = {path for path, _ in local_links(ROOT / "docs" / "README.md")}
    apart = {ROOT / "docs" / "README.md"}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in ("providers", "decisions")}
    assert pages - apart <= listed
