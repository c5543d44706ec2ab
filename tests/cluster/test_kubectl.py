"""What a person sees who works with kubectl: the reference, the table, scaling, applying, differences."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from place import CRD, ROOT, Namespace

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
MANIFEST = """
apiVersion: diurnal.dev/v1alpha1
kind: TrafficSimulation
metadata: {name: world}
spec:
  sink: {discard: {}}
"""
RUNNING = {
    "observedGeneration": 1,
    "ready": "1024/1024",
    "readyShards": 1024,
    "shards": 1024,
    "state": "BudgetExhausted",
    "message": "the budget of the run is used",
    "users": 5_400_000_000,
    "clock": {"short": "2026-01-01T06:12:31Z", "speed": 12345.6},
    "rate": {"achieved": 1000},
    "spent": {"messages": 50_000_000, "bytes": 5_000_000_000, "usd": "25.00"},
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Running",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
    ],
}


def fine(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def leaves(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The named fields of a schema, by dotted path."""
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from leaves(node[key], path)
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}".removeprefix("."), child
        yield from leaves(child, f"{path}.{name}")


def schema() -> dict[str, Any]:
    crd = yaml.safe_load(CRD.read_text())
    return dict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def test_explain_reads_as_a_reference(kubectl: Kubectl) -> None:
    """Every field of spec and status, with its type and, where there are choices, those."""
    told = fine(kubectl("explain", "trafficsimulation", "--recursive"))
    assert "The traffic of a world of app users" in told
    for path, _ in leaves(schema()):
        assert re.search(rf"\b{re.escape(path.rpartition('.')[2])}\t<", told), path
    assert "enum: Diurnal, Constant" in told


@pytest.mark.parametrize(
    "path",
    ["spec", "spec.traffic.rate", "spec.budget", "spec.clock", "spec.sink.pubsub", "status", "status.plan"],
)
def test_explain_describes_every_field(kubectl: Kubectl, path: str) -> None:
    told = " ".join(fine(kubectl("explain", f"trafficsimulation.{path}")).split())
    described = {where: node.get("description", "") for where, node in leaves(schema())}
    children = [where for where in described if where.rpartition(".")[0] == path]
    assert children
    for where in (path, *children):
        assert " ".join(described[where].split()) in told, where


def test_no_field_is_without_a_description() -> None:
    given = {"apiVersion", "kind", "metadata"}
    assert [
        path for path, node in leaves(schema()) if path not in given and not node.get("description")
    ] == []


def test_the_table_fits_into_80_columns_and_tells_the_story(namespace: Namespace, kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    namespace.api.merge(f"{namespace.simulations}/world/status", {"status": RUNNING}).expect()
    head, row = fine(kubectl("get", "trafficsimulations")).rstrip("\n").split("\n")
    assert head.split() == ["NAME", "READY", "CLOCK", "SPEED", "STATUS", "AGE"]
    assert row.split()[:5] == ["world", "1024/1024", "2026-01-01T06:12:31Z", "12345.6", "BudgetExhausted"]
    assert max(len(head.rstrip()), len(row.rstrip())) <= 80


def test_a_wide_table_tells_the_rest(namespace: Namespace, kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    namespace.api.merge(f"{namespace.simulations}/world/status", {"status": RUNNING}).expect()
    told = fine(kubectl("get", "tsim", "-o", "wide"))
    assert told.split("\n")[0].split()[-5:] == ["USERS", "RATE", "MESSAGES", "USD", "MESSAGE"]
    assert "50000000" in told


def test_it_is_found_by_its_category(kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    assert "trafficsimulation.diurnal.dev/world" in fine(kubectl("get", "diurnal", "-o", "name"))


def test_wait_knows_its_conditions(namespace: Namespace, kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    wait = ("wait", "tsim/world", "--for=condition=Ready")
    assert "timed out" in kubectl(*wait, "--timeout=1s").stderr
    namespace.api.merge(f"{namespace.simulations}/world/status", {"status": RUNNING}).expect()
    assert "condition met" in fine(kubectl(*wait, "--timeout=20s"))


def test_wait_does_not_take_the_condition_of_an_older_generation(
    namespace: Namespace, kubectl: Kubectl
) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    namespace.api.merge(f"{namespace.simulations}/world/status", {"status": RUNNING}).expect()
    fine(kubectl("scale", "tsim/world", "--replicas=2"))
    assert "timed out" in kubectl("wait", "tsim/world", "--for=condition=Ready", "--timeout=1s").stderr


@pytest.mark.parametrize("how", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_applying_without_shards_keeps_what_scale_has_set(
    namespace: Namespace, kubectl: Kubectl, how: tuple[str, ...]
) -> None:
    fine(kubectl("apply", *how, "-f", "-", given=MANIFEST))
    assert namespace.read()["spec"]["shards"] == 1
    fine(kubectl("scale", "tsim/world", "--replicas=4"))
    changed = MANIFEST + "  budget: {maxMessagesPerSecond: 500}\n"
    fine(kubectl("apply", *how, "-f", "-", given=changed))
    spec = namespace.read()["spec"]
    assert (spec["shards"], spec["budget"]["maxMessagesPerSecond"]) == (4, 500)


def test_scale_honours_the_current_number(kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    refused = kubectl("scale", "tsim/world", "--current-replicas=9", "--replicas=2")
    assert refused.returncode != 0
    fine(kubectl("scale", "tsim/world", "--current-replicas=1", "--replicas=2"))


def test_scaling_beyond_what_there_is_says_so(kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    refused = kubectl("scale", "tsim/world", "--replicas=2000")
    assert "spec.shards" in refused.stderr
    assert "1024" in refused.stderr


def test_scale_waits_for_the_shards_where_it_is_asked_to(namespace: Namespace, kubectl: Kubectl) -> None:
    """By status.shards of the scale subresource, as for a Deployment."""
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    assert "timed out" in kubectl("scale", "tsim/world", "--replicas=2", "--timeout=2s").stderr
    namespace.api.merge(f"{namespace.simulations}/world/status", {"status": {"shards": 3}}).expect()
    fine(kubectl("scale", "tsim/world", "--replicas=3", "--timeout=20s"))


def test_edit_changes_a_field_and_refuses_what_the_schema_refuses(
    namespace: Namespace, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """kubectl tells the reason in the file that it opens again; nobody is there to read it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/maxMessagesPerSecond:.*/maxMessagesPerSecond:\\ 7/")
    fine(kubectl("edit", "tsim/world"))
    assert namespace.read()["spec"]["budget"]["maxMessagesPerSecond"] == 7
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/shards:.*/shards:\\ -1/")
    assert '"world" is invalid' in kubectl("edit", "tsim/world").stderr
    assert namespace.read()["spec"]["shards"] == 1


def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl) -> None:
    """No finalizer holds it up."""
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    fine(kubectl("delete", "tsim/world", "--timeout=20s"))
    assert "NotFound" in kubectl("get", "tsim/world").stderr


def test_diff_is_empty_after_apply_and_shows_one_line_for_one_change(kubectl: Kubectl) -> None:
    """Defaults are no differences, neither those of the top nor those inside."""
    manifest = (ROOT / "manifests" / "examples" / "app-store.yaml").read_text()
    fine(kubectl("apply", "-f", "-", given=manifest))
    same = kubectl("diff", "-f", "-", given=manifest)
    assert (same.returncode, same.stdout) == (0, "")
    other = kubectl(
        "diff", "-f", "-", given=manifest.replace("maxMessagesPerSecond: 1000", "maxMessagesPerSecond: 9")
    )
    lines = [line for line in other.stdout.splitlines() if re.match(r"[+-] ", line)]
    changed = [line.split() for line in lines if "generation" not in line]
    assert changed == [["-", "maxMessagesPerSecond:", "1000"], ["+", "maxMessagesPerSecond:", "9"]]


def test_a_refused_apply_names_field_and_remedy(kubectl: Kubectl) -> None:
    refused = kubectl("apply", "-f", "-", given=MANIFEST + "  sinks: {}\n")
    assert 'unknown field "spec.sinks"' in refused.stderr


def test_a_change_of_another_run_names_the_remedy(kubectl: Kubectl) -> None:
    fine(kubectl("apply", "-f", "-", given=MANIFEST))
    refused = kubectl("apply", "-f", "-", given=MANIFEST + "  population: {users: 5}\n")
    assert "set another restartNonce too, which starts a new run" in refused.stderr
