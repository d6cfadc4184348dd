"""The commands of docs/deploy.md, as they stand there."""

from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "deploy.md"

__all__ = ["lines"]


def lines(section: str) -> list[str]:
    """Return what the page says to type in one section, a line each."""
    _, _, text = PAGE.read_text().partition(f"\n## {section}\n")
    assert text, f"{PAGE.name} has no section {section}"
    text = text.partition("\n## ")[0]
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]
