"""The part of an error's text that may be stored in logs and Temporal's histories."""

import os
from typing import Final

from pydantic import ValidationError

from aweigh.core.errors import AweighError
from aweigh.core.model import place_of

#: Packages whose errors contain none of our values.
_HARMLESS: Final = ("temporalio",)


def said_by(error: BaseException, *, masks: bool) -> str:
    """Return an error's class and text on one line; for pydantic's errors, only the fields' paths.

    `masks`: the caller masks secrets. Otherwise the text is left out unless it is Aweigh's own,
    because other texts may repeat any value.
    """
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        wrong = error.errors(include_input=False, include_context=False, include_url=False)
        places = ", ".join(place_of(one["loc"]) or error.title for one in wrong)
        return f"{kind} at {places}"
    harmless = type(error).__module__.split(".")[0] in _HARMLESS
    if isinstance(error, AweighError) or masks or harmless:
        text = " ".join(str(error).split())
    else:
        text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return f"{kind}: {text}" if text else kind
