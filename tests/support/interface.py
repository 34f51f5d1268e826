"""Holds real answers against the OpenAPI document: an answer that it does not announce is a defect of one of the two."""

import re
from typing import Any

import jsonschema_rs


class Interface:
    """The document, ready for checking."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = [
            (re.compile(re.sub(r"\{[a-z]+\}", "[^/]+", path)), path, item) for path, item in document["paths"].items()
        ]
        self._validators: dict[str, Any] = {}

    def check(self, method: str, path: str, status: int, media: str, body: Any) -> None:
        """AssertionError unless the document announces this answer. Addresses that it does not have are not its matter."""
        found = self._operation(method, path)
        if found is None:
            return
        where, operation = found
        assert str(status) in operation["responses"], f"{where} answered {status}, which is not announced: {body}"
        content = operation["responses"][str(status)].get("content", {})
        if not content:
            return
        assert media in content, f"{where} answered {status} as {media}, announced: {list(content)}"
        if not media.endswith("json"):
            return
        key = f"{where} {status} {media}"
        if key not in self._validators:
            schema = {**content[media]["schema"], "components": self._document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        faults = [f"{error.instance_path}: {error.message}" for error in self._validators[key].iter_errors(body)]
        assert not faults, f"{where} answered {status} not as announced: {faults}"

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        for pattern, template, item in sorted(self._paths, key=lambda one: "{" in one[1]):
            if pattern.fullmatch(path) and method.lower() in item:
                return f"{method} {template}", item[method.lower()]
        return None
