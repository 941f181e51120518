"""What an error may say of itself where it is kept: in logs and in Temporal's histories."""

import os
from typing import Final

from pydantic import ValidationError

from aweigh.core.errors import AweighError
from aweigh.core.model import place_of

#: Packages whose errors hold no values of ours.
_HARMLESS: Final = ("temporalio",)


def said_by(error: BaseException, *, masks: bool) -> str:
    """Its class and text in one line; of values that pydantic refuses, only where they stand.

    `masks`: whoever keeps it replaces secrets. Else the text of an error that is not Aweigh's own
    is left out, since it may repeat any value.
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
