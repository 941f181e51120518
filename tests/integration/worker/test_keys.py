"""A rotation of the key seals everything anew."""

from pathlib import Path

from sqlalchemy import select

from aweigh.core.settings import Settings
from aweigh.secrets.vault import key_id_of, load_vault
from aweigh.store import applications, channels
from aweigh.store.tables import SEALED_COLUMNS, ChannelRow
from tests.support.channels import channel_of, new_channel
from tests.support.installation import new_application, new_deployment
from worker.installation import install
from worker.keys import rotate
from worker.store import keys_file, open_store


async def test_a_rotation_seals_every_value_with_the_new_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    await install(settings)
    store = await open_store(settings)
    shop = await new_application(store)
    await new_deployment(store, shop)
    channel = await new_channel(store)
    async with store.write() as tx:
        row = await tx.session.get_one(ChannelRow, channel)
        channels.rotate_secret(tx, row)
        secrets = channels.signing_secrets(tx, row)
    await store.close()

    assert await rotate(settings) == 3 + 1 + 3

    current = load_vault(keys_file(settings)).current
    store = await open_store(settings)
    async with store.read() as tx:
        for column in SEALED_COLUMNS:
            found = await tx.session.scalars(select(column))
            assert {key_id_of(one) for one in found if one} == {current}
        row = await tx.session.get_one(ChannelRow, channel)
        assert channels.opened(tx, row).settings == channel_of()
        assert channels.signing_secrets(tx, row) == secrets
        assert (await applications.find(tx, shop)).row.slug == "shop"
    await store.close()
