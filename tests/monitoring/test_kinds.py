"""The monitors and rules are what the kinds of Prometheus' operator take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from crds import PROMETHEUS_OPERATOR, check

MONITORING = Path(__file__).parents[2] / "manifests" / "monitoring"
KINDS = {"pod-monitor": "podmonitors", "service-monitor": "servicemonitors", "rules": "prometheusrules"}


def read(name: str) -> Any:
    return yaml.safe_load((MONITORING / f"{name}.yaml").read_text("utf-8"))


def path(name: str) -> str:
    return f"example/prometheus-operator-crd/monitoring.coreos.com_{KINDS[name]}.yaml"


@pytest.mark.parametrize("name", KINDS)
def test_an_object_fits_the_definition_of_its_kind(name: str) -> None:
    check(read(name), PROMETHEUS_OPERATOR, path(name))


def test_a_field_that_is_none_would_be_found() -> None:
    monitor = read("pod-monitor")
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    with pytest.raises(jsonschema.ValidationError):
        check(monitor, PROMETHEUS_OPERATOR, path("pod-monitor"))


def test_everything_that_is_applied_is_there() -> None:
    listed = read("kustomization")["resources"]
    files = {found.name for found in MONITORING.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == files


def test_the_service_leads_to_the_operators_port() -> None:
    deployment = yaml.safe_load((MONITORING.parent / "operator" / "deployment.yaml").read_text("utf-8"))
    service, template = read("operator-service")["spec"], deployment["spec"]["template"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    [container] = template["spec"]["containers"]
    [port] = service["ports"]
    assert port["targetPort"] in {found["name"] for found in container["ports"]}
    [endpoint] = read("service-monitor")["spec"]["endpoints"]
    assert endpoint["port"] == port["name"]
