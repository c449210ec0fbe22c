# SPDX-License-Identifier: BSL-1.0
"""The generator's rules, on names and on small descriptions; CTest runs it.

That the committed headers are what the generator makes is asked by `tools/check generated`.
"""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from codegen import drift, names  # noqa: E402
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


def lower(schemas: dict, body: str | None = None, response: str | None = None, **operation):
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
        "paths": {operation.pop("path", "/things/{thingId}"): {"post": one}},
        "components": {"schemas": schemas},
    }
    report = Report()
    family = Family("v2", "things", "apps/things.json", document)
    return Lowering(family, Facts, overlay(), report).run(), report


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
        made.finish()
        self.assertEqual(family.schemas["X"]["properties"]["a"], {"type": "number"})

    def test_an_entry_without_effect_fails(self):
        made = overlay(self.ENTRY.format("string"))
        made.apply([self.family()])
        self.assertRaises(OverlayError, made.finish)

    def test_an_entry_needs_evidence(self):
        text = self.ENTRY.format("number").replace('evidence = "seen"', "")
        self.assertRaises(OverlayError, overlay, text)


class Reading(unittest.TestCase):
    def test_a_key_that_stands_twice_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.json"
            path.write_text('{"a": 1, "a": 2}', encoding="utf-8")
            self.assertRaises(DescriptionError, read_json, path)

    def test_the_headers_can_be_read_back(self):
        facts = drift.read(ROOT / "include")
        path = facts["v2/contacts operation get_contact .path"]
        self.assertEqual(path, '"/contacts/{contactId}"')
        field = facts["v2/contacts type get_contact_by_id field firstName"]
        self.assertEqual(field, "std::optional<std::string>")
        operations = [k for k in facts if k.count(" ") == 2 and k.split()[1] == "operation"]
        self.assertEqual(len(operations), 576 + 627)

    def test_drift_names_what_changed(self):
        old = {"v2/a type x": "", "v2/a type x field b": "bool", "v2/a type x field c": "bool"}
        new = {"v2/a type x": "", "v2/a type x field b": "double", "v2/a type y": ""}
        self.assertEqual(
            drift.report(old, new),
            [
                "~ v2/a type x field b: bool -> double",
                "- v2/a type x field c",
                "+ v2/a type y",
            ],
        )


if __name__ == "__main__":
    unittest.main()
