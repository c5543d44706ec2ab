"""The example of docs/argo-cd.md: Applications that Argo CD takes, and nothing deleted without a person."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from commands import Call, blocks, run
from crds import ARGO_CD, check
from diurnal_api.spec import TrafficSimulation
from gitops import ARGO, ROOT
from packaged import missing

EXAMPLE = ARGO / "example"
APPLICATIONS = ("operator", "simulations")
CRD = "manifests/crds/application-crd.yaml"
CONFIRMED = {"Prune=confirm", "Delete=confirm"}
WAVE = "argocd.argoproj.io/sync-wave"
OPTIONS = "argocd.argoproj.io/sync-options"
PAGE = ROOT / "docs" / "argo-cd.md"


def application(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLE / f"{name}.yaml").read_text("utf-8"))
    return found


@cache
def built(folder: Path) -> tuple[dict[str, Any], ...]:
    """The objects of a kustomization, by kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        missing("no kubectl on the PATH")
    text = subprocess.check_output([str(kubectl), "kustomize", folder], text=True)
    return tuple(yaml.safe_load_all(text))


def of_kind(objects: tuple[dict[str, Any], ...], kind: str) -> dict[str, Any]:
    [found] = [each for each in objects if each["kind"] == kind]
    return found


def options(each: dict[str, Any]) -> set[str]:
    return set(each["metadata"].get("annotations", {}).get(OPTIONS, "").split(","))


def wave(each: dict[str, Any]) -> int:
    return int(each["metadata"].get("annotations", {}).get(WAVE, "0"))


@pytest.fixture(scope="module")
def simulation() -> dict[str, Any]:
    return of_kind(built(EXAMPLE / "simulations"), "TrafficSimulation")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_fits_argo_cds_own_definition(name: str) -> None:
    check(application(name), ARGO_CD, CRD)


def test_a_field_that_argo_cd_does_not_know_would_be_found() -> None:
    wrong = application("simulations")
    wrong["spec"]["syncPolicy"]["selfHeal"] = True
    with pytest.raises(jsonschema.ValidationError):
        check(wrong, ARGO_CD, CRD)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_its_path_is_a_kustomization_of_this_repository(name: str) -> None:
    path = application(name)["spec"]["source"]["path"]
    assert ROOT / path == EXAMPLE / name
    assert built(EXAMPLE / name)


def test_both_applications_are_applied_at_once() -> None:
    found = built(EXAMPLE)
    assert [each["metadata"]["name"] for each in found] == ["diurnal", "simulations"]


def test_the_operator_comes_before_the_simulations_and_accounts_before_those() -> None:
    assert wave(application("operator")) < wave(application("simulations"))
    objects = built(EXAMPLE / "simulations")
    last = of_kind(objects, "TrafficSimulation")
    assert all(wave(each) < wave(last) for each in objects if each is not last)


def test_the_simulation_is_valid_and_uses_the_account_beside_it(simulation: dict[str, Any]) -> None:
    spec = TrafficSimulation.model_validate(simulation).spec
    account = of_kind(built(EXAMPLE / "simulations"), "ServiceAccount")["metadata"]
    assert account["name"] == spec.worker.service_account_name
    assert account["namespace"] == simulation["metadata"]["namespace"]
    assert application("simulations")["spec"]["destination"]["namespace"] == account["namespace"]


def test_neither_shards_nor_suspend_are_in_git(simulation: dict[str, Any]) -> None:
    assert not {"shards", "suspend", "status"} & (simulation["spec"].keys() | simulation.keys())


def test_what_actions_and_scaling_set_is_ignored() -> None:
    [ignored] = application("simulations")["spec"]["ignoreDifferences"]
    assert (ignored["group"], ignored["kind"]) == ("diurnal.dev", "TrafficSimulation")
    assert set(ignored["jsonPointers"]) == {"/spec/shards", "/spec/suspend"}
    assert "RespectIgnoreDifferences=true" in application("simulations")["spec"]["syncPolicy"]["syncOptions"]


def test_a_simulation_is_pruned_and_deleted_only_on_confirmation(simulation: dict[str, Any]) -> None:
    assert options(simulation) == CONFIRMED


def test_the_kind_is_pruned_and_deleted_only_on_confirmation() -> None:
    assert options(of_kind(built(EXAMPLE / "operator"), "CustomResourceDefinition")) == CONFIRMED


@pytest.mark.parametrize("name", APPLICATIONS)
def test_deleting_an_application_deletes_nothing_else(name: str) -> None:
    assert "finalizers" not in application(name)["metadata"]


def test_the_operators_application_prunes_nothing() -> None:
    assert not application("operator")["spec"]["syncPolicy"]["automated"].get("prune", False)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    script = "\n".join(blocks(PAGE))
    return run(script, tmp_path_factory.mktemp("argo"), "kubectl", "argocd")


def test_files_that_the_page_names_exist(calls: list[Call]) -> None:
    named = [word for call in calls for word in call.words if word.startswith("manifests/")]
    assert len(named) == 2
    assert all((ROOT / name).exists() for name in named)


def test_the_page_runs_only_actions_that_exist(calls: list[Call]) -> None:
    actions = [call.words[4] for call in calls if call.words[:3] == ("app", "actions", "run")]
    assert actions
    assert set(actions) <= {folder.name for folder in (ARGO / "actions").iterdir() if folder.is_dir()}


def test_the_page_shows_the_annotation_that_is_used(simulation: dict[str, Any]) -> None:
    assert f"{OPTIONS}: {simulation['metadata']['annotations'][OPTIONS]}" in PAGE.read_text("utf-8")
