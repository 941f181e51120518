"""Recreates the proxy of this server while the server worker runs."""

from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.servers.api_client import Api
from worker.children import boot_id
from worker.engine_facts import engine_facts
from worker.secrets import identity_of, read_secret
from worker.server_parts import ServerParts


async def recreate(settings: Settings) -> None:
    """Apply changed settings; no other process starts or replaces the proxy meanwhile.

    Raises:
        AweighError: the API does not answer, or the proxy cannot be started with these settings.
    """
    identity = await in_thread(lambda: identity_of(settings))
    api = Api(settings.api_base, read_secret(settings.token_file), identity, boot_id())
    try:
        instance = (await api.inventory()).instance
    finally:
        await api.close()
    facts = await engine_facts(settings, instance, identity)
    parts = ServerParts(settings, instance, identity, facts)
    await in_thread(parts.prepare)
    try:
        await parts.proxy.recreate()
    finally:
        await parts.traefik.close()
