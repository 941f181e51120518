"""The proxy of this server, made anew beside the server worker that runs."""

from aweigh.containers.naming import SERVER_LOCK
from aweigh.core.settings import Settings
from aweigh.servers.api_client import Api
from aweigh.servers.server import open_server
from worker.children import boot_id
from worker.secrets import identity_of, read_secret


async def recreate(settings: Settings) -> None:
    """Apply changed settings, while no deployment switches.

    Raises:
        AweighError: the API does not answer, or the proxy cannot be had as it is wanted.
    """
    identity = identity_of(settings)
    api = Api(settings.api_base, read_secret(settings.token_file), identity, boot_id())
    try:
        instance = (await api.inventory()).instance
    finally:
        await api.close()
    server = await open_server(settings, instance, identity)
    try:
        await server.proxy.image()
        async with server.locks.holding(SERVER_LOCK):
            await server.proxy.recreate()
    finally:
        await server.traefik.close()
