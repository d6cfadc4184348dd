"""Alert rules and the dashboard: Prometheus' own program takes them, and every metric exists."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "ambassador.json").read_text())
METRICS = set(re.findall(r"^\| `(\w+)` ", (ROOT / "docs" / "metrics.md").read_text(), re.M))


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], cwd=cwd, check=False, capture_output=True, text=True, timeout=50
    )


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("word", ["check", "test"])
def test_prometheus_takes_the_alert_rules(word):
    name = {"check": "ambassador.rules.yml", "test": "ambassador.rules.test.yml"}[word]
    done = promtool(word, "rules", name, cwd=RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_every_query_of_the_dashboard(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    done = promtool("check", "rules", "rules.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_and_panels_ask_for_metrics_that_there_are():
    text = (RULES / "ambassador.rules.yml").read_text() + "\n".join(queries())
    asked = set(re.findall(r"\b(?:ambassador|process)_\w+", text))
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert len(names) > 15
    assert names <= METRICS


def test_the_dashboard_is_one_that_grafana_imports():
    assert DASHBOARD["schemaVersion"] >= 39
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert sorted(numbers) == sorted(set(numbers))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    named = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r'"\$(\w+)"', "\n".join(queries()))) <= named
