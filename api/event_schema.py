"""Prints the JSON Schema of events, as `docs/event.schema.json` has it."""

import json
import sys
from typing import Any, Final

from aweigh.notifications.event_payload import EventPayload

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def event_schema() -> dict[str, Any]:
    return {"$schema": _DIALECT, **EventPayload.model_json_schema(mode="serialization")}


if __name__ == "__main__":
    json.dump(event_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
