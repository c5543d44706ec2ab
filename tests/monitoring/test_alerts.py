"""The alert rules: accepted by Prometheus, fired at the right moments, each with a runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from prometheus import promtool

ROOT = Path(__file__).parents[2]
GROUPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "manifests/monitoring/rules.yaml").read_text("utf-8"))[
    "spec"
]["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES = Path(__file__).with_name("alerts.yaml")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text("utf-8")


def written(folder: Path, *, annotated: bool) -> Path:
    """The rules as a file of Prometheus' own."""
    groups = [
        {
            **group,
            "rules": [{k: v for k, v in rule.items() if annotated or k != "annotations"} for rule in rules],
        }
        for group in GROUPS
        for rules in [group["rules"]]
    ]
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": groups}))
    return path


def test_prometheus_accepts_the_rules(tmp_path: Path) -> None:
    promtool("check", "rules", written(tmp_path, annotated=True))


def test_alerts_fire_when_they_should_and_not_else(tmp_path: Path) -> None:
    written(tmp_path, annotated=False)
    cases = tmp_path / "alerts.yaml"
    cases.write_bytes(CASES.read_bytes())
    promtool("test", "rules", cases)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    cases = yaml.safe_load(CASES.read_text("utf-8"))["tests"]
    fires = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test["exp_alerts"]}
    assert fires == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/runbooks.md#{name.lower()}"


def test_runbooks_are_those_of_the_alerts_in_their_order() -> None:
    assert re.findall(r"^## (Diurnal\w+)$", RUNBOOKS, re.MULTILINE) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_what_it_means_and_what_to_do(name: str) -> None:
    section = RUNBOOKS.split(f"## {name}\n")[1].split("\n## ")[0]
    for part in ("**Means**", "**Look**", "**Do**"):
        assert section.count(part) == 1
