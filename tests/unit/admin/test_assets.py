"""The files of the page: all there, none from elsewhere, and what the browser is told of them."""

import re
from pathlib import Path

import pytest

from ambassador import __version__
from ambassador.admin import assets
from ambassador.admin.assets import HEADERS, asset

PLACE = Path(assets.__file__).parent / "static"
FILES = sorted(one.name for one in PLACE.iterdir())


def test_the_page_says_its_version_and_how_it_is_let_in():
    page = asset("", "token")
    assert page.kind.startswith("text/html")
    assert f'name="version" content="{__version__}"'.encode() in page.body
    assert b'name="door" content="token"' in page.body
    assert page.tag != asset("", "link").tag


@pytest.mark.parametrize("name", ["", "nothing.js", "../web.py", "index", "page.css/..", ".."])
def test_nothing_else_is_a_file_of_it(name):
    assert (asset(name, "open") is None) is (name != "")


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_loaded_from_elsewhere_and_all_that_is_named_is_there(name):
    text = (PLACE / name).read_text()
    assert re.findall(r"https?://(?!www\.w3\.org/)", text) == []
    named = re.findall(r'(?:src|href)="page/([^"]+)"', text) + re.findall(
        r'from "\./([^"]+)"', text
    )
    assert [one for one in named if one not in FILES] == []


@pytest.mark.parametrize("name", [one for one in FILES if one.endswith(".html")])
def test_no_script_and_no_style_stands_in_the_page(name):
    text = (PLACE / name).read_text()
    assert re.findall(r"\bstyle=|<style|\bon[a-z]+=|<script(?! type=\"module\" src=)", text) == []


def test_every_file_of_scripts_is_used():
    scripts = "".join((PLACE / one).read_text() for one in FILES if one.endswith((".js", ".html")))
    assert [one for one in FILES if one.endswith(".js") and one not in scripts] == []


def test_files_stay_small():
    assert [one for one in FILES if len((PLACE / one).read_text().splitlines()) > 250] == []


def test_nothing_is_made_of_text_that_is_markup():
    """An endpoint, a name or an error may hold anything: it stays text."""
    scripts = "".join((PLACE / one).read_text() for one in FILES if one.endswith(".js"))
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", scripts)
        == []
    )


def test_the_policy_lets_nothing_in():
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
