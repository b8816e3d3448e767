"""The JSON Schema of YAML adapters, with which editors complete and check them while somebody writes."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema
from marshmallow import fields as members

from gateway.config.values import Whole, Word
from gateway.events import DATA_SCHEMAS, MONEY_TYPES, EventType
from gateway.formats.durations import Duration
from gateway.translation.declarative import schema as yaml_schema
from gateway.translation.declarative.schema import (
    ANNOTATIONS,
    FILLED_IN,
    SCHEMES,
    SHARED_SECRET,
    AdapterSchema,
    RuleSchema,
    scheme_schema,
)

_Form = dict[str, Any]

_EXPRESSION: _Form = {"type": "string", "maxLength": 1000, "description": "An expression (JMESPath)."}
_EXPRESSIONS: _Form = {"type": "object", "additionalProperties": _EXPRESSION, "minProperties": 1}
_KEYS: _Form = {"anyOf": [_EXPRESSIONS, {"type": "array", "items": _EXPRESSION, "minItems": 1}]}
_TYPES: _Form = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}
_NAMES: _Form = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_PAGE: _Form = {"type": "string", "pattern": "^https://"}

_FORMS: Mapping[type[members.Field[Any]], _Form] = {
    yaml_schema.Formula: _EXPRESSION,
    yaml_schema.Formulas: _EXPRESSIONS,
    yaml_schema.Keys: _KEYS,
    yaml_schema.SeveralKeys: {"anyOf": [_KEYS, {"type": "array", "items": _KEYS}]},
    yaml_schema.Memories: {
        "type": "object",
        "additionalProperties": {**_EXPRESSIONS, "required": ["id"], "minProperties": 2},
    },
    yaml_schema.Types: _TYPES,
    yaml_schema.Ignored: {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string", "description": "Why it is left out."}},
        ]
    },
    yaml_schema.Bodies: {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {"has": _NAMES, "lacks": _NAMES},
            "required": ["has"],
            "additionalProperties": False,
        },
        "minProperties": 1,
    },
    yaml_schema.Body: {
        "anyOf": [
            {"enum": ["json", "form"]},
            {
                "type": "object",
                "properties": {"json_in": {"type": "string"}},
                "required": ["json_in"],
                "additionalProperties": False,
            },
        ]
    },
    yaml_schema.Probe: {
        "type": "object",
        "properties": {"form": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
        "required": ["form"],
        "additionalProperties": False,
    },
    yaml_schema.Pages: {
        "anyOf": [
            _PAGE,
            {
                "type": "object",
                "properties": {"events": _PAGE, "security": _PAGE},
                "required": ["events", "security"],
                "additionalProperties": False,
            },
        ]
    },
    yaml_schema.Tables: {
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
    },
    yaml_schema.Options: {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    },
    Duration: {"type": ["string", "integer"], "pattern": "^[0-9]{1,9}[smhd]?$"},
    Whole: {"type": "integer", "minimum": 0, "maximum": 9},
}


def json_schema() -> _Form:
    """JSON Schema, draft 2020-12."""
    form = _object(AdapterSchema())
    form["properties"]["verify"] = {"oneOf": [_scheme(word) for word in (*SCHEMES, SHARED_SECRET)]}
    form["properties"]["events"] = {"type": "array", "items": _rule(), "minItems": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An adapter of the Lumail gateway",
        **form,
    }


def _rule() -> _Form:
    """A rule; what its data may and must hold follows from `emit`."""
    form = _object(RuleSchema())
    form["allOf"] = [
        {
            "if": {"properties": {"emit": {"const": emit.value}}, "required": ["emit"]},
            "then": {"properties": {"data": _data(emit)}, "required": ["subscriber", "keys"]},
        }
        for emit in EventType
        if emit not in MONEY_TYPES
    ]
    form["properties"]["emit"] = {"enum": [emit.value for emit in EventType if emit not in MONEY_TYPES]}
    form["dependentRequired"] = {"paid": ["sale", "subscriber", "currency"]} | {
        name: ["currency"] for name in ("refunded_total", "refund", "chargeback")
    }
    return form


def _data(emit: EventType) -> _Form:
    known = DATA_SCHEMAS[emit].fields
    required = sorted(name for name, member in known.items() if member.required and name not in FILLED_IN)
    return {
        "type": "object",
        "properties": dict.fromkeys((*known, *ANNOTATIONS), _EXPRESSION),
        "additionalProperties": False,
        "required": required,
    }


def _scheme(word: str) -> _Form:
    form = _object(scheme_schema(word))
    form["properties"]["scheme"] = {"const": word}
    return form


def _object(schema: Schema) -> _Form:
    return {
        "type": "object",
        "properties": {name: _form(member) for name, member in schema.fields.items()},
        "required": [name for name, member in schema.fields.items() if member.required],
        "additionalProperties": False,
    }


def _form(member: members.Field[Any]) -> _Form:
    if isinstance(member, members.Nested):
        return _object(member.schema)
    if isinstance(member, Word):
        return {"enum": list(member.allowed)}
    return _FORMS.get(type(member), {"type": "string"})
