"""One word a concept: the glossary is what the vocabulary says, and no word with a better one is
back.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.vocabulary import PAGE, PROSE, TERMS, WORDS, glossary

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Names with such a word all the same, each with the reason.
ACCEPTED: dict[str, str] = {
    "admin.server": "the HTTP server of the admin socket, beside admin.client",
    "admin.server.AdminServer": "the same",
    "resolve.dns.NameServers": "resolv.conf(5) calls them so",
    "resolve.question.servers": "the same",
    "resolve.resolver.name_servers": "the same",
    "tls.hello.server_name": "the extension of TLS is called so (RFC 6066 section 3)",
    "planes.kernel.host.legacy": "iptables-legacy is called so",
}


def words(name: str) -> set[str]:
    """Return the words of a name in snake or camel case, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names(path: Path) -> Iterator[str]:
    """Yield the module at `path` and its classes, functions and arguments, by their full names."""
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    yield module
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module}.{node.name}"
        if isinstance(node, ast.arg):
            yield f"{module}.{node.arg}"


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text of a Python file with its line: docstrings, messages, comments."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for number, line in enumerate(text.splitlines(), start=1):
        if "# " in line:
            yield number, line.partition("# ")[2]


def test_the_glossary_is_what_the_vocabulary_says():
    assert PAGE.read_text() == glossary(), "./dev pages writes it"


def test_each_term_is_defined_once():
    terms = [term for group in TERMS.values() for term in group]
    assert len(terms) == len(set(terms))
    assert not set(terms) & set(WORDS)


def test_names_are_made_of_our_words():
    assert words("HTTPServerPool") == {"http", "server", "pool"}
    found = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in names(path)
        if words(name.rpartition(".")[2]) & set(WORDS)
    }
    assert sorted(found) == sorted(ACCEPTED)  # none is stale


def test_pages_and_messages_use_our_words():
    pattern = re.compile(rf"\b(?:{'|'.join(PROSE)})\b", re.I)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, text in prose(path)
        if (match := pattern.search(text))
    ]
    for page in PAGES:
        if page.name in ("decisions.md", "glossary.md"):  # what was said then; what not to say
            continue
        for number, line in enumerate(page.read_text().splitlines(), start=1):
            plain = re.sub(r"`[^`]*`", "", line)  # an old key of the API stays as it is
            if match := pattern.search(plain):
                found.append(f"{page.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []
