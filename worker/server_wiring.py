"""Wires the activities of a server worker."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from activities.build import BuildActivity
from activities.create import CreateActivity
from activities.drain import DrainActivity
from activities.fetch import FetchActivity
from activities.health import HealthActivity
from activities.preflight import PreflightActivity
from activities.pull import PullActivity
from activities.reconcile import ReconcileActivity
from activities.release_command import ReleaseActivity
from activities.remove import RemoveActivity
from activities.remove_application import RemoveApplicationActivity
from activities.step import Steps
from activities.sweep import SweepActivity
from activities.switch import SwitchActivity
from activities.undo import UndoActivity
from aweigh.servers.api_client import Api
from aweigh.servers.journal import Journal
from aweigh.upkeep.application_reconciler import ApplicationReconciler
from aweigh.upkeep.ended_deployments import EndedDeployments
from aweigh.upkeep.leftovers import Leftovers
from aweigh.upkeep.live_check import LiveCheck
from aweigh.upkeep.live_containers import LiveContainers
from aweigh.upkeep.readiness import ServerReadiness
from aweigh.upkeep.reconciler import Reconciler
from aweigh.upkeep.removal import ApplicationRemoval
from aweigh.upkeep.repair import ContainerRepair, RouteRepair
from aweigh.upkeep.server_inventory import ServerInventory
from aweigh.upkeep.shared_parts import SharedParts
from aweigh.upkeep.sweep import Sweep
from aweigh.upkeep.undo import Undo
from worker.server_parts import ServerParts
from workflows.names import build_queue, pull_queue, steps_queue, waits_queue

#: Activities by the function that names their queue.
Activities = dict[Callable[[str], str], list[Callable[..., Any]]]


class ServerWiring:
    """The work of a server worker: steps, reconciliation, removal."""

    def __init__(self, parts: ServerParts, api: Api) -> None:
        self.parts = parts
        self._api = api

    def activities(self) -> Activities:
        api, steps, live, containers = (
            self._api,
            self._steps,
            self.parts.live,
            self.parts.containers,
        )
        return {
            steps_queue: [
                PreflightActivity(steps, live, self._readiness, api).preflight,
                ReleaseActivity(
                    steps, self.parts.release_images, self.parts.release_command
                ).release,
                CreateActivity(steps, self.parts.release_images, self.parts.replicas).create,
                SwitchActivity(
                    steps, self.parts.release_images, self.parts.replicas, self.parts.switch
                ).switch,
                RemoveActivity(steps, containers).remove,
                SweepActivity(steps, api, self._sweep).sweep,
                UndoActivity(steps, self._undo).undo,
                RemoveApplicationActivity(api, self.parts.locks, self._removal).remove_application,
                ReconcileActivity(api, self.reconciler).reconcile,
            ],
            waits_queue: [
                HealthActivity(
                    steps, live, self.parts.release_images, self.parts.replicas, self.parts.gate
                ).health,
                DrainActivity(steps, containers, self.parts.drain).drain,
            ],
            pull_queue: [
                PullActivity(steps, self.parts.source_images).pull,
                FetchActivity(steps, self.parts.source_builds).fetch,
            ],
            build_queue: [BuildActivity(steps, self.parts.source_builds).build],
        }

    @cached_property
    def _steps(self) -> Steps:
        return Steps(self._api, self.journal, self.parts.locks, self.parts.live)

    @cached_property
    def journal(self) -> Journal:
        directory = self.parts.settings.server_data / "journal"
        return Journal(directory, self._api, self.parts.settings.log_bytes)

    @cached_property
    def _readiness(self) -> ServerReadiness:
        return ServerReadiness(
            self.parts.host, self.parts.disk, self.parts.proxy, self.parts.firewall
        )

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self.parts.installation.names, self.parts.networks, self.parts.retention)

    @cached_property
    def _undo(self) -> Undo:
        return Undo(
            self.parts.live,
            self.parts.view,
            self.parts.drain,
            self.parts.containers,
            self.parts.build_containers,
        )

    @cached_property
    def _removal(self) -> ApplicationRemoval:
        return ApplicationRemoval(
            self.parts.live,
            self.parts.drain,
            self.parts.containers,
            self.parts.application_networks,
            self.parts.build_containers,
            self._sweep,
        )

    @cached_property
    def reconciler(self) -> Reconciler:
        parts = self.parts
        return Reconciler(
            ServerInventory(self._api, parts.containers, parts.live, parts.application_networks),
            SharedParts(parts.firewall, parts.build_network, parts.proxy, parts.route_files),
            self._application_reconciler,
            EndedDeployments(self.journal, parts.build_containers),
            self._sweep,
        )

    @cached_property
    def _application_reconciler(self) -> ApplicationReconciler:
        check = LiveCheck(self._api, self.parts.view)
        leftovers = Leftovers(
            self.parts.containers, self.parts.application_networks, self.parts.drain, check
        )
        route_repair = RouteRepair(
            self._api,
            self.parts.live,
            self.parts.drain,
            self.parts.replicas,
            self.parts.release_images,
        )
        return ApplicationReconciler(
            self.parts.locks,
            self.parts.live,
            route_repair,
            self._container_repair,
            leftovers,
            check,
        )

    @cached_property
    def _container_repair(self) -> ContainerRepair:
        return ContainerRepair(
            self._api,
            self.parts.containers,
            self.parts.application_networks,
            self.parts.replicas,
            self.parts.release_images,
        )

    @cached_property
    def live_containers(self) -> LiveContainers:
        return LiveContainers(self._api, self.parts.locks, self.parts.live, self._container_repair)
