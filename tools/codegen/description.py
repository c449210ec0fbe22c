# SPDX-License-Identifier: BSL-1.0
"""Reading the API description: one OpenAPI document per family, and the facts derived from them."""

import csv
import json
import pathlib
import re


class DescriptionError(Exception):
    """The description is not what the generator was written for."""


def _no_duplicates(pairs):
    made = {}
    for key, value in pairs:
        if key in made:
            raise DescriptionError(f"key {key!r} stands twice in one object")
        made[key] = value
    return made


def read_json(path: pathlib.Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
    except (OSError, ValueError, DescriptionError) as error:
        raise DescriptionError(f"{path}: {error}") from error


METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


class Family:
    """One document: a family of one version."""

    def __init__(self, version: str, name: str, file: str, document: dict):
        self.version = version
        self.name = name
        self.file = file
        self.document = document
        for item in document["paths"].values():
            self._share_parameters(item)

    @staticmethod
    def _share_parameters(item: dict) -> None:
        """Gives each operation the parameters of its path; its own win."""
        for method in METHODS:
            if method not in item or not item.get("parameters"):
                continue
            own = item[method].get("parameters", [])
            named = {(p["in"], p["name"]) for p in own}
            shared = [p for p in item["parameters"] if (p["in"], p["name"]) not in named]
            item[method]["parameters"] = shared + own

    @property
    def schemas(self) -> dict:
        return self.document["components"]["schemas"]

    def operations(self):
        """(method, path, operation) in document order."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in METHODS:
                    yield method, path, operation


class Description:
    """Both versions, and the derived facts, which may be those of another folder."""

    def __init__(self, folder: pathlib.Path, derived: pathlib.Path | None = None):
        derived = derived or folder
        self.folder = folder
        self.families: list[Family] = []
        for version, pattern in (("v2", "apps/*.json"), ("v3", "apps/v3/*.json")):
            files = sorted(folder.glob(pattern))
            if not files:
                raise DescriptionError(f"{folder}: no {pattern}")
            for path in files:
                name = re.sub(r"-v3$", "", path.stem)
                relative = path.relative_to(folder).as_posix()
                self.families.append(Family(version, name, relative, read_json(path)))
        self.pagination = self._by_operation(read_json(derived / "derived/pagination.json"))
        self.resources = self._by_operation(read_json(derived / "derived/resource-id.json"))
        self.integers = read_json(derived / "derived/integer-names.json")
        self.endpoint_scopes = self._scopes(derived / "scopes.tsv")
        self.commit = self._commit(folder)

    @staticmethod
    def _by_operation(table: dict) -> dict:
        return {(o["version"], o["family"], o["operation_id"]): o for o in table["operations"]}

    @staticmethod
    def _scopes(path: pathlib.Path) -> dict:
        """(METHOD, path with nameless placeholders) -> scopes, in file order."""
        scopes: dict[tuple[str, str], list[str]] = {}
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                words = (row["endpoint"] or "").split()
                if len(words) != 2 or not words[1].startswith("/"):
                    continue
                key = (words[0].upper(), nameless(words[1]))
                scopes.setdefault(key, [])
                if row["scope"] not in scopes[key]:
                    scopes[key].append(row["scope"])
        return scopes

    @staticmethod
    def _commit(folder: pathlib.Path) -> str:
        """The upstream commit that the folder's README names, or `unknown`."""
        for name in ("COMMIT", "README.md"):
            try:
                found = re.search(r"commit ([0-9a-f]{7,40})", (folder / name).read_text("utf-8"))
            except OSError:
                continue
            if found:
                return found.group(1)[:7]
        return "unknown"


def nameless(path: str) -> str:
    """`/a/{b}/c/` and `/a/:b/c` -> `/a/{}/c`: how a path is compared across sources."""
    path = re.sub(r"\{[^}]*\}|:[A-Za-z0-9_]+", "{}", path)
    return path.rstrip("/") or "/"
