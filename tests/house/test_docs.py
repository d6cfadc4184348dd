"""What the documents say exists: folders, verbs, files."""

import re
from pathlib import Path

import pytest

from ambassador.cli.verbs import VERBS
from tests.house.imports import LAYERS, layer_of, rank

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_architecture_names_every_folder_and_module_at_the_root():
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = [f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("*/__init__.py")]
    modules = [path.name for path in PACKAGE.glob("[a-z]*.py")]
    assert [name for name in folders + modules if f"`{name}`" not in text] == []


def test_architecture_names_nothing_that_is_not_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("| in `src/ambassador`") : text.index("Adapters do not know")]
    named = re.findall(r"`([a-z/]+(?:\.py|/))`", table)
    assert len(named) > 5
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_architecture_has_the_order_that_imports_keep():
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("| in `src/ambassador`") : text.index("Adapters do not know")]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in first_cells for name in re.findall(r"`([a-z/]+)(?:\.py|/)`", cell)]
    layers = [layer for name in named if (layer := layer_of(name.replace("/", ".").strip(".")))]
    assert set(layers) == {name for names in LAYERS for name in names}
    assert [rank(layer) for layer in layers] == sorted(map(rank, layers))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
    broken = [
        link
        for link in links
        if not link.startswith("https://") and not (document.parent / link).exists()
    ]
    assert broken == []


def commands(text: str, program: str) -> set[str]:
    """Return the first words after `program` in the code of a document."""
    code = "\n".join(re.findall(r"^(?: {4}|```).*$", text, re.M) + re.findall(r"`([^`\n]+)`", text))
    return set(re.findall(rf"(?:^|[\s`(]){re.escape(program)} ([a-z]+)\b(?![.:])", code))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_verb_of_dev_exists(document):
    known = set(re.findall(r"^ {4}(\w+)(?: \|[^)]*)?\)", (ROOT / "dev").read_text(), re.M))
    assert {"demo", "test", "lint", "help"} <= known
    assert commands(document.read_text(), "./dev") <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_verb_of_ambassador_exists(document):
    assert commands(document.read_text(), "ambassador") <= set(VERBS)


def test_the_readme_and_the_page_of_verbs_show_every_verb():
    text = (ROOT / "README.md").read_text()
    assert {"demo", "test"} <= commands(text, "./dev")
    assert set(VERBS) <= commands(text, "ambassador")
    page = (ROOT / "docs" / "verbs.md").read_text()
    assert set(VERBS) <= commands(page, "ambassador")
