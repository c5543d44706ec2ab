"""docs/gke.md: its commands run, with stand-ins for what needs a cloud; the real programs know each flag."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import ROOT, Call, blocks, run
from diurnal_api.spec import TrafficSimulation
from diurnal_worker.schema import AVRO, AVRO_TEXT
from packaged import missing, program

PAGE = ROOT / "docs" / "gke.md"
PROGRAMS = ("gcloud", "bq", "kubectl", "make", "curl")
BLOCKS = blocks(PAGE)
SCRIPT = "\n".join(BLOCKS)
COLUMNS = {"string": "STRING", "enum": "STRING", "timestamp-micros": "TIMESTAMP"}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What the page calls when it is done from its beginning to its end."""
    return run(SCRIPT.replace("your-project", "acme-shop"), tmp_path_factory.mktemp("gke"), *PROGRAMS)


def of(calls: list[Call], name: str) -> list[Call]:
    found = [call for call in calls if call.program == name]
    assert found
    return found


@cache
def gcloud_tree() -> dict[str, Any]:
    """Every command of the installed gcloud with its flags, as its shell completion knows them."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        missing("no gcloud on the PATH: https://cloud.google.com/sdk/docs/install")
    source = Path(str(gcloud)).resolve().parents[1] / "data" / "cli" / "gcloud_completions.py"
    spec = importlib.util.spec_from_file_location("gcloud_completions", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tree: dict[str, Any] = module.STATIC_COMPLETION_CLI_TREE
    return tree


def gcloud_flags(call: Call) -> dict[str, Any]:
    """The flags of a gcloud command, those of its groups included; AssertionError for an unknown command."""
    node = gcloud_tree()
    flags = dict(node["flags"])
    for word in call.plain:
        if not node["commands"]:
            break
        assert word in node["commands"], f"gcloud has no {' '.join(call.plain)}"
        node = node["commands"][word]
        flags |= node["flags"]
    assert not node["commands"], f"gcloud {' '.join(call.plain)} is only a group"
    return flags


@cache
def help_of(*command: str) -> str:
    """What a program says of itself; it needs no network for that."""
    if shutil.which(command[0]) is None:
        missing(f"no {command[0]} on the PATH")
    environment = {**os.environ, "HOME": "/nonexistent", "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    return done.stdout + done.stderr


def test_the_page_begins_with_an_env_file() -> None:
    assert BLOCKS[0].startswith("cat >gke.env <<'EOF'\n")
    assert BLOCKS[1].startswith(". ./gke.env\n")


def test_every_name_of_the_env_file_is_used() -> None:
    for name in re.findall(r"^export (\w+)=", BLOCKS[0], re.MULTILINE):
        assert f"${name}" in "".join(BLOCKS[1:])


def test_shellcheck_has_nothing_to_say() -> None:
    """But for SC1091: the file that is sourced is written by the page."""
    shellcheck = program("shellcheck", "shellcheck")
    done = subprocess.run(
        [shellcheck, "--shell=bash", "--exclude=SC1091", "--severity=style", "-"],
        input=SCRIPT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_gcloud_knows_every_command_and_flag(calls: list[Call]) -> None:
    for call in of(calls, "gcloud"):
        known = gcloud_flags(call)
        for flag, value in call.all_flags:
            assert flag in known, f"gcloud {' '.join(call.plain)} has no {flag}"
            kind = known[flag]
            assert (kind == "bool") == (not value), f"gcloud {' '.join(call.plain)} {flag}"
            assert not isinstance(kind, list) or value in kind


def test_bq_knows_every_command_and_flag(calls: list[Call]) -> None:
    everywhere = help_of("bq", "--help")
    for call in of(calls, "bq"):
        command = call.plain[0]
        told = help_of("bq", "help", command) + everywhere
        assert "Unknown command" not in told.splitlines()[0]
        for word in call.words:
            if word.startswith("-"):
                name = word.lstrip("-").partition("=")[0]
                pattern = rf"^\s+(?:-\w,)?--(?:\[no\])?{name}\b|-{name},--"
                assert re.search(pattern, told, re.MULTILINE), f"bq {command} has no {word}"


def test_kubectl_knows_every_command_and_flag(calls: list[Call]) -> None:
    everywhere = help_of("kubectl", "options")
    for call in of(calls, "kubectl"):
        words = [w for w in call.words if not w.startswith("--")]
        if words[0] == "-n":
            words = words[2:]
        depth = 2 if words[0] in {"create", "rollout"} else 1
        told = help_of("kubectl", *words[:depth], "--help")
        assert "unknown command" not in told
        for flag, _ in call.all_flags:
            assert re.search(rf"^\s+(?:-\w, )?{flag}\b", told + everywhere, re.MULTILINE), f"{words}: {flag}"


def test_make_has_the_targets(calls: list[Call]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for call in of(calls, "make"):
        assert {word for word in call.words if "=" not in word} <= set(targets)


def test_files_that_are_named_exist(calls: list[Call]) -> None:
    words = [word for call in calls for word in call.words]
    named = [w.rpartition("=")[2] for w in words if re.search(r"\b(docs|worker|manifests)/", w)]
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_topic_gets_the_workers_own_schema(calls: list[Call]) -> None:
    [create] = [call for call in of(calls, "gcloud") if call.plain[:3] == ("pubsub", "schemas", "create")]
    assert (ROOT / create.flags["--definition-file"]).read_text("utf-8") == AVRO_TEXT
    [topic] = [call for call in of(calls, "gcloud") if "--schema" in call.flags]
    assert topic.flags["--schema"] == create.plain[3]


def test_the_table_has_the_fields_of_the_schema_and_no_others(calls: list[Call]) -> None:
    [create] = [call for call in of(calls, "bq") if "--schema" in call.flags]
    columns = json.loads((ROOT / create.flags["--schema"]).read_text("utf-8"))
    expected = []
    for field in AVRO["fields"]:
        kind = field["type"] if isinstance(field["type"], dict) else {"type": field["type"]}
        type_ = COLUMNS[kind.get("logicalType") or kind["type"]]
        expected.append((field["name"], type_, "REQUIRED", field["doc"]))
    assert [(c["name"], c["type"], c["mode"], c["description"]) for c in columns] == expected
    clustered = create.flags["--clustering_fields"].split(",")
    assert set(clustered) <= {column["name"] for column in columns}


def test_the_simulation_is_valid_and_fits_what_was_made(calls: list[Call]) -> None:
    [apply] = [call for call in of(calls, "kubectl") if call.text]
    document = yaml.safe_load(apply.text)
    spec = TrafficSimulation.model_validate(document).spec
    assert spec.sink.pubsub is not None
    project, topic = spec.sink.pubsub.topic.split("/")[1::2]
    assert ("pubsub", "topics", "create", topic) in [call.plain for call in of(calls, "gcloud")]
    assert project == "acme-shop"
    [principal] = {v for c in of(calls, "gcloud") for f, v in c.all_flags if v.startswith("principal://")}
    account = (document["metadata"]["namespace"], spec.worker.service_account_name)
    assert principal.endswith("/subject/ns/{}/sa/{}".format(*account))


def test_the_workers_account_is_the_one_that_is_installed(calls: list[Call]) -> None:
    [apply] = [call for call in of(calls, "kubectl") if call.text]
    name = yaml.safe_load(apply.text)["spec"]["worker"]["serviceAccountName"]
    installed = yaml.safe_load_all((ROOT / "manifests/rbac/worker/account.yaml").read_text("utf-8"))
    assert ("ServiceAccount", name) in [(found["kind"], found["metadata"]["name"]) for found in installed]


def test_the_workers_get_two_roles_on_one_topic_and_one_bucket(calls: list[Call]) -> None:
    granted = {
        (call.plain[-1], call.flags["--role"])
        for call in of(calls, "gcloud")
        if call.flags.get("--member", "").startswith("principal://")
    }
    assert granted == {
        ("user-interactions", "roles/pubsub.publisher"),
        ("gs://acme-shop-diurnal", "roles/storage.legacyObjectReader"),
    }


def test_no_role_is_granted_on_the_whole_project(calls: list[Call]) -> None:
    assert not [call for call in calls if call.plain[:2] == ("projects", "add-iam-policy-binding")]


def made(call: Call) -> set[tuple[str, str]]:
    """What a command creates: kind and name."""
    kinds: dict[tuple[str, ...], str] = {
        ("pubsub", "topics"): "topic", ("pubsub", "subscriptions"): "subscription",
        ("pubsub", "schemas"): "schema", ("container", "clusters"): "cluster",
        ("artifacts", "repositories"): "repository", ("iam", "service-accounts"): "account",
    }  # fmt: skip
    kind = kinds.get(call.plain[:2])
    return {(kind, name.partition("@")[0]) for name in call.plain[3:]} if kind else set()


def test_the_teardown_deletes_all_that_was_created(calls: list[Call]) -> None:
    created, deleted = set(), set()
    for call in of(calls, "gcloud"):
        if call.plain[2:3] in {("create",), ("create-auto",)}:
            created |= made(call)
        if call.plain[2:3] == ("delete",):
            deleted |= made(call)
    assert len(created) == 8
    assert created == deleted
    assert ("storage", "rm", "gs://acme-shop-diurnal") in [call.plain for call in of(calls, "gcloud")]
    assert ("rm", "acme-shop:app_store") in [call.plain for call in of(calls, "bq")]
