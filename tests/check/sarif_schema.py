"""The part of SARIF 2.1.0 that we write, as a JSON schema: nothing else may occur.

Written after the standard's sections 3.13 to 3.58; the official schema, which takes all of the
standard, was seen to take our output, too.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_LEVEL: Schema = {"enum": ["none", "note", "warning", "error"]}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_MESSAGE = _object({"text": _TEXT})
_ARTIFACT = _object({"uri": {"type": "string", "pattern": r"^[\w./~%:()+@,;=&'!$*-]+$"}})
_REGION = _object(
    {"startLine": _COUNT}, {"startColumn": _COUNT, "endLine": _COUNT, "endColumn": _COUNT}
)
_LOCATION = _object(
    {"physicalLocation": _object({"artifactLocation": _ARTIFACT}, {"region": _REGION})},
    {"logicalLocations": _list(_object({"fullyQualifiedName": _TEXT}))},
)
_REPLACEMENT = _object(
    {"deletedRegion": _REGION}, {"insertedContent": _object({"text": {"type": "string"}})}
)
_CHANGE = _object({"artifactLocation": _ARTIFACT, "replacements": _list(_REPLACEMENT)})
_RULE = _object(
    {
        "id": _TEXT,
        "name": _TEXT,
        "shortDescription": _MESSAGE,
        "fullDescription": _MESSAGE,
        "help": _object({"text": _TEXT, "markdown": _TEXT}),
        "defaultConfiguration": _object({"level": _LEVEL}),
    }
)
_RESULT = _object(
    {
        "ruleId": _TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": _LEVEL,
        "message": _MESSAGE,
        "locations": _list(_LOCATION),
        "partialFingerprints": {"type": "object", "additionalProperties": _TEXT},
    },
    {"fixes": _list(_object({"description": _MESSAGE, "artifactChanges": _list(_CHANGE)}))},
)
_NOTIFICATION = _object({"level": _LEVEL, "message": _MESSAGE, "locations": _list(_LOCATION)})
_RUN = _object(
    {
        "tool": _object(
            {"driver": _object({"name": _TEXT, "version": _TEXT, "rules": _list(_RULE)})}
        ),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "invocations": _list(
            _object(
                {
                    "executionSuccessful": {"type": "boolean"},
                    "toolExecutionNotifications": _list(_NOTIFICATION),
                }
            )
        ),
        "results": _list(_RESULT),
    }
)
SCHEMA = _object(
    {"$schema": _TEXT, "version": {"const": "2.1.0"}, "runs": {**_list(_RUN), "minItems": 1}}
)
