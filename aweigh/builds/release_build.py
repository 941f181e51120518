"""The build of one release."""

from dataclasses import dataclass

from aweigh.builds.method import Method
from aweigh.deployments.source import GitSource
from aweigh.servers.running_step import RunningStep


@dataclass
class ReleaseBuild:
    """The build of the release of a step, from its source and by its method."""

    step: RunningStep
    source: GitSource
    method: Method
    #: The name of the image to make; "" until it is known.
    image_name: str = ""
