"""How a step of a deployment fails: for good, for now, or since an earlier result is gone."""

from typing import ClassVar

from aweigh.core.errors import AweighError
from aweigh.deployments.deployment import Reason


class StepError(AweighError):
    """A step of a deployment failed."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StepFailed(StepError):
    """The step cannot succeed: the deployment fails with this reason."""


class Gone(StepFailed):
    """The result of an earlier step is gone: the workflow goes back to that step.

    The failing step does not restore it, because only the earlier step has the time limit and the
    slot for that work.
    """

    kind: ClassVar[str]


class ImageGone(Gone):
    """The release's image is not on the server: it must be pulled or built again."""

    kind = "image_gone"

    def __init__(self, reference: str) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            f"The image {reference} is no longer on the server. Something removes images there "
            "while they are being deployed; stop it, then retry.",
        )


class GenerationGone(Gone):
    """Some new containers do not run: they must be created and checked again."""

    kind = "generation_gone"

    def __init__(self, slug: str, found: int, expected: int) -> None:
        super().__init__(
            Reason.START_FAILED,
            f"{found} of the {expected} new containers of {slug} are running. Another program "
            "stops or removes them; stop it, then retry.",
        )


class ProxyImageGone(Gone):
    """The proxy or its image was removed since preflight, which must get it again."""

    kind = "proxy_image_gone"

    def __init__(self) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            "The proxy and its image are no longer on the server. Something removes them there "
            "while a release is being deployed; stop it, then retry.",
        )


class StepUnavailable(StepError):
    """The step cannot be done now: it is retried within its budget."""


class BuildLost(StepUnavailable):
    """The build cannot be continued: the next attempt starts again, from the caches."""
