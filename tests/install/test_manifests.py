"""What is installed, as files: generated ones are fresh, and every object fits the schema of its kind.

What an API server says to them is in tests/cluster/test_install.py.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from diurnal_operator.settings import Settings, SettingsError
from modelled import ModelCluster

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
WITHOUT_SCHEMA = ("diurnal.dev/", "monitoring.", "argoproj.io/")
"""Groups of kinds that Kubernetes does not bring."""
KUBERNETES = ("1.29", "1.31", "1.33", "1.35")
GENERATED = ("manifests/install.yaml", "charts/diurnal/objects")


def objects(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


PLAIN = sorted(
    path
    for path in MANIFESTS.rglob("*.yaml")
    if path.name not in {"kustomization.yaml", "argocd-cm.yaml"} and "examples" not in path.parts
)


@pytest.mark.parametrize("generated", GENERATED)
def test_generated_files_are_fresh(generated: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "manifests.py", tmp_path], check=True)
    made, here = tmp_path / generated, ROOT / generated
    files = [made] if made.is_file() else sorted(made.iterdir())
    for file in files:
        assert file.read_text() == (here if here.is_file() else here / file.name).read_text(), "make generate"
    assert here.is_file() or {file.name for file in files} == {file.name for file in here.iterdir()}


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: str(path.relative_to(MANIFESTS)))
@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_fits_the_schema_of_its_kind(path: Path, version: str) -> None:
    for each in objects(path):
        if not each["apiVersion"].startswith(WITHOUT_SCHEMA):
            kubernetes_validate.validate(each, version, strict=True)


def test_one_file_installs_each_object_once() -> None:
    found = [(each["kind"], each["metadata"]["name"]) for each in objects(MANIFESTS / "install.yaml")]
    assert len(found) == len(set(found))
    assert found[0] == ("CustomResourceDefinition", "trafficsimulations.diurnal.dev")


def test_the_operators_namespace_admits_the_strictest_profile_only() -> None:
    [namespace] = [each for each in objects(MANIFESTS / "install.yaml") if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_operator_waits_for_no_registry_where_its_image_is_here() -> None:
    """A name below localhost/ can never be somebody else's image."""
    [deployment] = [each for each in objects(MANIFESTS / "install.yaml") if each["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("localhost/diurnal-operator:")
    assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_charts_values_are_those_of_its_schema() -> None:
    """Every value is described, and every description has a value."""
    chart = ROOT / "charts" / "diurnal"
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((chart / "values.yaml").read_text("utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
    for name, child in schema["properties"].items():
        if child.get("additionalProperties") is False:
            assert set(values[name]) == set(child["properties"]), name


def test_every_setting_that_the_page_names_is_one_of_the_operators() -> None:
    """Set to nonsense, each is complained about by its name, or is a word that is taken as it is."""
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    named = set(re.findall(r"`((?:DIURNAL_|PUBSUB_|STORAGE_)[A-Z_]+)`", page))
    assert len(named) > 8
    for name in named:
        try:
            assert Settings.from_environment({name: "-1"}) != Settings.from_environment({}), name
        except SettingsError as error:
            assert name in str(error)


@pytest.mark.parametrize("part", ["operator", "worker"])
def test_a_network_policy_selects_its_pods_and_opens_the_ports_that_they_have(part: str) -> None:
    """No cluster of the tests enforces policies: that names and ports are real is what can be shown."""
    policy = yaml.safe_load((ROOT / "manifests" / part / "network-policy.yaml").read_text("utf-8"))
    pod = template_of(part)
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == ports
    out = {(port["protocol"], port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert out == {("UDP", 53), ("TCP", 53), ("TCP", 443), ("TCP", 6443)}


def template_of(part: str) -> dict[str, Any]:
    """The pods of the operator's Deployment, or those that it makes for a worker."""
    if part == "operator":
        path = ROOT / "manifests" / "operator" / "deployment.yaml"
        [made] = [it for it in yaml.safe_load_all(path.read_text("utf-8")) if it["kind"] == "Deployment"]
    else:
        world = ModelCluster()
        world.create()
        world.settle()
        [made] = world.deployments.values()
    template: dict[str, Any] = made["spec"]["template"]
    return template
