"""The network of builds, from which code under build cannot reach this server's own services."""

from aweigh.containers.build_firewall import Firewall
from aweigh.containers.iptables import CannotConfine
from aweigh.containers.networks import Networks
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed


class BuildNetwork:
    """`may_be_open`: build even if the firewall cannot be set up."""

    def __init__(
        self, name: str, networks: Networks, firewall: Firewall, *, may_be_open: bool
    ) -> None:
        self.name = name
        self._networks = networks
        self._firewall = firewall
        self._may_be_open = may_be_open

    async def confine(self) -> None:
        """Create the network and its firewall, if absent.

        Raises:
            StepFailed: the firewall cannot be set up.
        """
        await self._networks.ensure_build_network(self.name)
        try:
            await self._firewall.ensure()
        except CannotConfine as error:
            if not self._may_be_open:
                raise StepFailed(
                    Reason.BUILD_FAILED,
                    "Builds cannot be kept out of this server's own services and networks: "
                    f"{error}. Correct that, or set AWEIGH_ALLOW_OPEN_BUILD_NETWORK=true for the "
                    "server worker to build without this protection.",
                ) from error

    async def restore_firewall(self) -> str:
        """Set the firewall again if somebody took it away in the middle of a build.

        Return "", or a description of what builds reach if that fails and is not allowed.
        """
        try:
            await self._firewall.restore()
        except CannotConfine as error:
            if not self._may_be_open:
                return f"builds can reach this server's own services and networks: {error}"
        return ""
