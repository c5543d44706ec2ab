"""``python -m diurnal_cli.crd`` prints the CustomResourceDefinition as YAML, for crds/."""

import sys

import yaml

from diurnal_api.crd import custom_resource_definition

HEADER = "# Generated from api/diurnal_api by `python -m diurnal_cli.crd`. Do not edit.\n"


def crd_yaml() -> str:
    """The text of crds/trafficsimulations.diurnal.dev.yaml."""
    return HEADER + yaml.dump(custom_resource_definition(), Dumper=_Dumper, sort_keys=False, width=110)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


if __name__ == "__main__":
    sys.stdout.write(crd_yaml())
