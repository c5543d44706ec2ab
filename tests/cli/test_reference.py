"""The reference page: it is fresh, whole, and says what validation says."""

import re
from pathlib import Path

from diurnal_api.crd import open_api_schema
from diurnal_api.spec import TrafficSimulation
from diurnal_cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def fields(name: str) -> list[str]:
    """The paths of all rows of the page below spec or status."""
    return re.findall(rf"^\| `({name}[^`]*)` \|", reference(), re.MULTILINE)


def test_the_committed_page_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == reference(), "docs/reference.md is stale: make generate"


def test_every_model_field_of_spec_has_a_row() -> None:
    spec = TrafficSimulation.model_fields["spec"].annotation
    assert spec is not None
    expected = {f"spec.{field.alias}" for field in spec.model_fields.values()}
    assert expected <= set(fields("spec"))


def test_no_field_has_two_rows() -> None:
    paths = fields("spec") + fields("status")
    assert sorted(set(paths)) == sorted(paths)


def test_every_row_says_what_the_field_means() -> None:
    rows = re.findall(r"^\| `[^`]+` \| .*$", reference(), re.MULTILINE)
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_bar_in_a_description_does_not_end_its_cell() -> None:
    for row in re.findall(r"^\| `.*$", reference(), re.MULTILINE):
        assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_the_rules_of_a_section_are_told_with_it() -> None:
    """Independently of the page's code: the messages of population's rules, straight from the schema."""
    countries = open_api_schema()["properties"]["spec"]["properties"]["population"]["properties"]["countries"]
    section = reference().split("## spec.population\n")[1].split("\n## ")[0]
    for rule in countries["x-kubernetes-validations"]:
        assert rule["message"] in section
