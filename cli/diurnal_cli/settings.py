"""``--set spec.path=value``: changes to a resource before it is validated, as a person types them."""

from __future__ import annotations

from typing import Any

from diurnal_cli.yaml_reader import read_yaml


def with_settings(document: Any, settings: list[str]) -> Any:
    """A copy of ``document`` with each ``path=value`` set; values are YAML scalars or flow collections.

    ValueError says what is wrong with a setting. A path may begin with ``spec.`` or leave it out.
    """
    changed = _copied(document)
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            raise ValueError(
                f"--set {setting[:60]!r} is not PATH=VALUE, such as budget.maxMessagesPerSecond=500"
            )
        try:
            parsed = [document.value for document in read_yaml(value)]
        except ValueError:
            raise ValueError(f"--set {path}: {value[:60]!r} is no YAML value") from None
        _put(changed, path.split("."), parsed[0] if parsed else None, path)
    return changed


def _put(document: Any, keys: list[str], value: Any, path: str) -> None:
    if keys[0] not in {"spec", "metadata"}:
        keys = ["spec", *keys]
    for key in keys[:-1]:
        if not isinstance(document, dict):
            raise ValueError(f"--set {path}: {key} is inside something that is no mapping")
        if document.get(key) is None:
            document[key] = {}
        document = document[key]
    if not isinstance(document, dict):
        raise ValueError(f"--set {path}: {keys[-2]} is no mapping")
    document[keys[-1]] = value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
