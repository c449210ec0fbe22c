# SPDX-License-Identifier: BSL-1.0
"""The generator's rules, on names and on small descriptions; CTest runs it.

That the committed headers are what the generator makes is asked by `tools/check generated`.
"""

import argparse
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from codegen import __main__ as cli  # noqa: E402
from codegen import drift, names  # noqa: E402
from codegen.emit import EmitError  # noqa: E402
from codegen.description import DescriptionError, Family, read_json  # noqa: E402
from codegen.lower import Lowering  # noqa: E402
from codegen.overlay import Overlay, OverlayError  # noqa: E402
from codegen.report import Report  # noqa: E402


class Facts:
    """The derived facts of a description that has none."""

    pagination = {}
    resources = {}
    integers = {"exact": ["limit", "count"], "suffix": ["_count"], "never": ["amount"]}
    endpoint_scopes = {}


def overlay(text: str = "") -> Overlay:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "overlay.toml"
        path.write_text(text, encoding="utf-8")
        return Overlay(path)


def lower(
    schemas: dict,
    body: str | None = None,
    response: str | None = None,
    facts=Facts,
    corrections: str = "",
    method: str = "post",
    shared=(),
    **operation,
):
    """The model of a family with one operation."""

    def content(name):
        schema = {"$ref": f"#/components/schemas/{name}"}
        return {"content": {"application/json": {"schema": schema}}}

    one = {
        "operationId": "do-it",
        "parameters": [],
        "responses": {"200": content(response) if response else {"description": ""}},
        **operation,
    }
    if body:
        one["requestBody"] = {"required": True, **content(body)}
    document = {
        "paths": {
            operation.pop("path", "/things/{thingId}"): {"parameters": list(shared), method: one}
        },
        "components": {"schemas": schemas},
    }
    report = Report()
    family = Family("v2", "things", "apps/things.json", document)
    corrected = overlay(corrections)
    corrected.apply([family])
    model = Lowering(family, facts, corrected, report).run()
    corrected.finish()
    return model, report


def members(model, name: str, request: bool) -> dict[str, str]:
    struct = next(s for s in model.structs if s.name == name)
    return {m.name: m.cpp(request) for m in struct.members}


class Names(unittest.TestCase):
    def test_words_are_split(self):
        for text, name in {
            "firstName": "first_name",
            "get-contact": "get_contact",
            "GET-all-or-email-sms-templates": "get_all_or_email_sms_templates",
            "create-integration provider": "create_integration_provider",
            "HTMLBody": "html_body",
            "startOAuth": "start_oauth",
            "userIDs": "user_ids",
            "address1": "address1",
            "LookBusyPercentage": "look_busy_percentage",
        }.items():
            self.assertEqual(names.snake(text), name)

    def test_what_is_no_identifier_is_mended(self):
        for text, name in {
            "delete": "delete_",
            "default": "default_",
            "24h": "n24h",
            "65+": "n65_plus",
            "-": "empty",
            "errno": "errno_",
            "PHYSICAL/DIGITAL": "physical_digital",
        }.items():
            self.assertEqual(names.identifier(text), name)

    def test_schemas_that_would_meet_keep_their_full_names(self):
        made = names.schema_names(["CreateContactDto", "CreateContactSchema", "TagsDTO"])
        self.assertEqual(
            made,
            {
                "CreateContactDto": "create_contact_dto",
                "CreateContactSchema": "create_contact_schema",
                "TagsDTO": "tags",
            },
        )

    def test_twins_in_one_object_differ(self):
        self.assertEqual(names.member_names(["_id", "id"]), {"_id": "id_raw", "id": "id"})
        self.assertEqual(names.member_names(["_id"]), {"_id": "id"})
        self.assertEqual(
            names.member_names(["fieldValue", "field_value"], {"field_value"}),
            {"fieldValue": "field_value", "field_value": "field_value_legacy"},
        )


class Types(unittest.TestCase):
    THING = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "flag": {"type": "boolean"},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "labels": {"type": "array", "items": {"type": "string"}},
            "note": {"type": "string", "nullable": True},
            "amount": {"type": "number"},
            "viewCount": {"type": "number"},
        },
        "required": ["name", "flag", "kind", "labels"],
    }

    def test_a_request_tells_missing_from_set(self):
        model, _ = lower({"ThingDto": self.THING}, body="ThingDto")
        self.assertEqual(
            members(model, "thing", True),
            {
                "name": "std::string",
                "flag": "std::optional<bool>",
                "kind": "json::open_enum<types::kind>",
                "labels": "std::vector<std::string>",
                "note": "json::nullable<std::string>",
                "amount": "std::optional<double>",
                "view_count": "std::optional<std::int64_t>",
            },
        )

    def test_a_response_may_lack_anything(self):
        model, _ = lower({"ThingDto": self.THING}, response="ThingDto")
        made = members(model, "thing", False)
        self.assertEqual(made["name"], "std::optional<std::string>")
        self.assertEqual(made["note"], "std::optional<std::string>")
        self.assertEqual(made["labels"], "std::vector<std::string>")

    def test_an_example_that_contradicts_wins(self):
        schema = {
            "type": "object",
            "properties": {
                "when": {"type": "object", "example": "2024-01-01"},
                "items": {"type": "array", "items": {"type": "string"}, "example": [{"a": 1}]},
                "data": {"type": "string", "example": {"a": 1}},
            },
        }
        model, report = lower({"X": schema}, response="X")
        self.assertEqual(
            members(model, "x", False),
            {
                "when": "std::optional<std::string>",
                "items": "std::vector<json::value>",
                "data": "json::value",
            },
        )
        self.assertEqual(report.counts["v2"]["fields example"], 3)

    def test_an_unclassified_union_is_a_value_and_counted(self):
        schema = {
            "type": "object",
            "properties": {"y": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
        }
        model, report = lower({"X": schema}, response="X")
        self.assertEqual(members(model, "x", False), {"y": "json::value"})
        self.assertEqual(report.counts["v2"]["unions unclassified"], 1)

    def test_a_member_never_has_its_classs_name(self):
        schema = {"type": "object", "properties": {"tags": {"type": "string"}}}
        model, _ = lower({"TagsDTO": schema}, response="TagsDTO")
        self.assertEqual([s.name for s in model.structs], ["tags_dto"])

    def test_a_struct_that_holds_itself_is_refused(self):
        schema = {
            "type": "object",
            "properties": {"child": {"$ref": "#/components/schemas/Node"}},
        }
        with self.assertRaises(DescriptionError):
            lower({"Node": schema}, response="Node")


class Operations(unittest.TestCase):
    def test_the_template_says_which_path_members_there_are(self):
        model, report = lower({}, path="/a/{x}/b/{yId}")
        made = model.operations[0]
        self.assertEqual([p.name for p in made.path_parameters], ["x", "y_id"])
        self.assertEqual(report.counts["v2"]["path parameters not declared"], 2)

    def test_paging_texts_are_numbers_in_a_query(self):
        limit = {"name": "limit", "in": "query", "schema": {"type": "string"}}
        model, _ = lower({}, parameters=[limit])
        self.assertEqual(model.operations[0].query_parameters[0].type.kind, "integer")

    def test_security_becomes_kinds_of_tokens(self):
        both = [{"Agency-Access": ["a"]}, {"Location-Access": ["a"]}]
        model, _ = lower({}, security=both)
        self.assertEqual(model.operations[0].tokens, "any")
        self.assertEqual(model.operations[0].scopes, ["a"])
        model, _ = lower({}, security=[{"Agency-Access-Only": []}])
        self.assertEqual(model.operations[0].tokens, "agency_oauth")
        model, _ = lower({})
        self.assertEqual(model.operations[0].tokens, "location")


    def test_parameters_of_the_path_are_those_of_its_operations(self):
        def query(name, kind):
            return {"name": name, "in": "query", "schema": {"type": kind}}

        model, _ = lower(
            {},
            shared=[query("a", "string"), query("b", "string")],
            parameters=[query("b", "boolean")],
        )
        made = {p.wire: p.type.kind for p in model.operations[0].query_parameters}
        self.assertEqual(made, {"a": "string", "b": "boolean"})

    def test_what_may_be_repeated_is_told_by_the_method_or_the_overlay(self):
        for method, made in {"get": "safe", "delete": "idempotent", "put": "neither"}.items():
            model, _ = lower({}, method=method)
            self.assertEqual(model.operations[0].idempotent, made)
        search = CORRECTION.format('idempotent = "safe"')
        model, _ = lower({}, corrections=search)
        self.assertEqual(model.operations[0].idempotent, "safe")

    def test_a_list_of_unknown_shape_pages_all_the_same(self):
        class Listing(Facts):
            pagination = {
                ("v2", "things", "do-it"): {
                    "style": "skip_limit",
                    "params": {"skip": {"in": "query"}, "limit": {"in": "query"}},
                    **{k: None for k in ("items", "next", "total", "has_more")},
                }
            }

        parameters = [
            {"name": n, "in": "query", "schema": {"type": "number"}} for n in ("skip", "limit")
        ]
        model, report = lower({}, facts=Listing, method="get", parameters=parameters)
        pages = model.operations[0].paging
        self.assertEqual((pages.style, pages.position, pages.size), ("skip_limit", "skip", "limit"))
        self.assertFalse(pages.items_known)
        self.assertEqual(report.counts["v2"]["pages whose items are not described"], 1)


CORRECTION = """
[[operation]]
versions = ["v2"]
family = "things"
id = "do-it"
{}
evidence = "seen"
"""


class Corrections(unittest.TestCase):
    ENTRY = """
[[schema]]
versions = ["v2"]
family = "things"
at = "X.a"
set = '{{"type": "{}"}}'
evidence = "seen"
"""

    def family(self):
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        return Family("v2", "things", "f", {"paths": {}, "components": {"schemas": {"X": schema}}})

    def test_an_entry_changes_the_description(self):
        family, made = self.family(), overlay(self.ENTRY.format("number"))
        made.apply([family])
        self.assertEqual(made.problems, [])
        self.assertEqual(family.schemas["X"]["properties"]["a"], {"type": "number"})

    def test_an_entry_without_effect_fails(self):
        made = overlay(self.ENTRY.format("string"))
        made.apply([self.family()])
        self.assertRaises(OverlayError, made.finish)

    def test_a_fact_without_effect_fails(self):
        query = {"name": "q", "in": "query", "schema": {"type": "string"}}
        for fact in (
            "raw = false",
            'file_field = "file"',
            'list_style = { q = "comma" }',
            'list_style = { nothing = "comma" }',
            'paging = { items = "/x" }',
            'idempotent = "neither"',
            'alias = "other"',
            "",
        ):
            with self.subTest(fact), self.assertRaises(OverlayError):
                lower({}, corrections=CORRECTION.format(fact), parameters=[query])

    def test_an_entry_for_what_nothing_uses_fails(self):
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        entry = self.ENTRY.format("number")
        lower({"X": schema}, response="X", corrections=entry)
        with self.assertRaises(OverlayError):
            lower({"X": copy.deepcopy(schema)}, corrections=self.ENTRY.format("boolean"))

    def test_an_entry_needs_evidence(self):
        text = self.ENTRY.format("number").replace('evidence = "seen"', "")
        self.assertRaises(OverlayError, overlay, text)


class Reading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.committed = drift.read(ROOT / "include")

    def test_a_key_that_stands_twice_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.json"
            path.write_text('{"a": 1, "a": 2}', encoding="utf-8")
            self.assertRaises(DescriptionError, read_json, path)

    def test_the_headers_can_be_read_back(self):
        facts = self.committed
        path = facts["v2/contacts operation get_contact .path"]
        self.assertEqual(path, '"/contacts/{contactId}"')
        field = facts["v2/contacts type get_contact_by_id field firstName"]
        self.assertEqual(field, "std::optional<std::string> as first_name")
        operations = [k for k in facts if k.count(" ") == 2 and k.split()[1] == "operation"]
        self.assertEqual(len(operations), 576 + 627)

    def test_every_declaration_is_read_however_it_is_laid_out(self):
        read = drift.counts(self.committed)
        baseline = json.loads((ROOT / "tools/codegen/baseline.json").read_text(encoding="utf-8"))
        for version, counts in baseline.items():
            counts["parameters"] = counts["path parameters"] + counts["query parameters"]
            for what, number in read[version].items():
                with self.subTest(version=version, what=what):
                    self.assertEqual(number, counts[what])

    def test_the_committed_headers_are_those_of_the_baseline(self):
        self.assertEqual(drift.digests(self.committed), cli.read_digests())

    def test_drift_names_what_changed(self):
        old = {"v2/a type x": "", "v2/a type x field b": "bool", "v2/a type x field c": "bool"}
        new = {"v2/a type x": "", "v2/a type x field b": "double", "v2/a type y": ""}
        self.assertEqual(
            drift.report(old, new),
            [
                "~ v2/a type x field b: bool -> double",
                "- v2/a type x field c: bool",
                "+ v2/a type y",
            ],
        )


class Tree(unittest.TestCase):
    """A small description as files, and the command line over it."""

    DOCUMENT = {
        "paths": {
            "/things/{id}": {
                "get": {
                    "operationId": "get-thing",
                    "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/ThingDto"}
                                }
                            }
                        }
                    },
                },
                "delete": {
                    "operationId": "delete-thing",
                    "parameters": [],
                    "responses": {"200": {"description": ""}},
                },
            }
        },
        "components": {
            "schemas": {
                "ThingDto": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "gone": {"type": "string"},
                        "mended": {"type": "string"},
                        "kind": {"type": "string", "enum": ["a", "b"]},
                    },
                    "required": ["name"],
                }
            }
        },
    }
    OVERLAY = """
[[schema]]
versions = ["v2"]
family = "things"
at = "ThingDto.mended"
set = '{"type": "boolean"}'
evidence = "seen"
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.overlay = self.root / "overlay.toml"
        self.overlay.write_text(self.OVERLAY, encoding="utf-8")

    def tree(self, name: str, document: dict) -> pathlib.Path:
        folder = self.root / name
        for file, content in {
            "apps/things.json": document,
            "apps/v3/things-v3.json": self.DOCUMENT,
            "derived/pagination.json": {"operations": []},
            "derived/resource-id.json": {"operations": []},
            "derived/integer-names.json": {"exact": [], "suffix": [], "never": []},
        }.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(json.dumps(content), encoding="utf-8")
        (folder / "scopes.tsv").write_text("scope\tendpoint\n", encoding="utf-8")
        return folder

    def run_of(self, folder: pathlib.Path) -> cli.Run:
        return cli.Run(argparse.Namespace(folder=folder, derived=None, overlay=self.overlay))

    def commit(self, run: cli.Run) -> pathlib.Path:
        include = self.root / "include"
        for path, text in run.headers.items():
            (include / path).parent.mkdir(parents=True, exist_ok=True)
            (include / path).write_text(text, encoding="utf-8")
        return include

    def newer(self) -> dict:
        """The same with one change of each sort, some of them new to the generator."""
        made = copy.deepcopy(self.DOCUMENT)
        thing = made["components"]["schemas"]["ThingDto"]["properties"]
        del thing["gone"]
        thing["name"] = {"type": "number"}
        thing["kind"]["enum"].append("c")
        thing["added"] = {"type": "string", "pattern": "^new[0-9]$"}
        thing["mended"] = {"type": "boolean"}
        operations = made["paths"]["/things/{id}"]
        operations["get"]["parameters"][0]["required"] = True
        body = {"schema": {"type": "object", "properties": {"x": {"$ref": thing_ref()}}}}
        made["paths"]["/things/"] = {
            "post": {
                "operationId": "create-thing",
                "requestBody": {"required": True, "content": {"application/json": body}},
                "responses": {"200": {"description": ""}},
            }
        }
        del operations["delete"]
        return made

    def test_diff_tells_every_change_and_never_stops_half_way(self):
        include = self.commit(self.run_of(self.tree("old", self.DOCUMENT)))
        newer = self.tree("new", self.newer())
        done = subprocess.run(
            [str(ROOT / "tools/generate"), "--diff", str(newer)]
            + ["--overlay", str(self.overlay), "--committed", str(include)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        for line in (
            "+ v2/things operation create_thing",
            "- v2/things operation delete_thing",
            "~ v2/things operation get_thing parameter query q: std::optional<std::string> as q"
            " -> std::string as q required",
            "- v2/things type thing field gone: std::optional<std::string> as gone",
            "~ v2/things names kind: a b -> a b c",
        ):
            self.assertIn(line, lines)
        self.assertTrue(any(" type thing field name: " in line for line in lines))
        self.assertTrue(any("overlay entry no longer needed: v2 things" in line for line in lines))
        self.assertFalse(any("v3/" in line for line in lines), done.stdout)

    def test_a_pattern_without_a_sample_is_named(self):
        run = self.run_of(self.tree("new", self.newer()))
        with self.assertRaisesRegex(DescriptionError, "new.*PATTERNS"):
            cli.samples.table(run.published, run.models)

    def patched(self):
        """The command line with all that it writes below the test's folder."""
        return mock.patch.multiple(
            cli,
            ROOT=self.root,
            SAMPLES=self.root / "samples.tsv",
            BASELINE=self.root / "baseline.json",
            DIGESTS=self.root / "digests.tsv",
        )

    def call(self, *arguments) -> tuple[int, str]:
        with mock.patch.object(sys, "argv", ["generate", *map(str, arguments)]):
            with mock.patch("sys.stdout"), mock.patch("sys.stderr") as said:
                status = cli.main()
        return status, "".join(str(c.args[0]) for c in said.write.call_args_list)

    def test_a_change_that_keeps_the_counts_is_refused_by_name(self):
        arguments = ("--overlay", self.overlay)
        with self.patched(), mock.patch.object(cli, "format_all", plain_format):
            self.assertEqual(self.call(self.tree("t", self.DOCUMENT), "--accept", *arguments)[0], 0)
            changed = copy.deepcopy(self.DOCUMENT)
            changed["components"]["schemas"]["ThingDto"]["required"] = []
            before = (self.root / "include/highlevel/v2/things.hpp").read_bytes()
            status, said = self.call(self.tree("t", changed), *arguments)
            self.assertEqual(status, 1)
            self.assertIn("~ v2/things type thing field name: ", said)
            self.assertEqual((self.root / "include/highlevel/v2/things.hpp").read_bytes(), before)
            changed["paths"]["/things/{id}/"] = changed["paths"].pop("/things/{id}")
            self.assertIn("operation get_thing .path", self.call(self.tree("t", changed), *arguments)[1])

    def test_nothing_is_written_without_a_formatter(self):
        with self.patched(), mock.patch(
            "codegen.emit.find_clang_format", side_effect=EmitError("none")
        ):
            (self.root / ".clang-format").touch()
            folder = self.tree("t", self.DOCUMENT)
            with self.assertRaises(EmitError):
                self.call(folder, "--accept", "--overlay", self.overlay)
        self.assertEqual(
            sorted(p.name for p in self.root.iterdir()), [".clang-format", "overlay.toml", "t"]
        )


def thing_ref() -> str:
    return "#/components/schemas/ThingDto"


def plain_format(files, folder, _style) -> None:
    """What format_all does, without clang-format."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    unittest.main()
