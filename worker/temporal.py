"""The connection to Temporal, and the namespace and search attributes that must exist."""

import asyncio
import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from aweigh.core.settings import Settings
from worker.failures import PlainFailureConverter
from worker.secrets import read_secret
from workflows.names import SEARCH_ATTRIBUTES

#: For all our connections to Temporal.
PLAIN: Final = dataclasses.replace(
    DataConverter.default, failure_converter_class=PlainFailureConverter
)

_log = structlog.get_logger(__name__)


def tls_of(settings: Settings) -> TLSConfig | bool:
    """Return the TLS settings; False for a connection without TLS.

    Raises:
        StartupError: a file cannot be read.
    """
    return settings.temporal_tls and TLSConfig(
        server_root_ca_cert=_read(settings.temporal_tls_ca_file),
        client_cert=_read(settings.temporal_tls_cert_file),
        client_private_key=_read(settings.temporal_tls_key_file),
    )


def _read(file: Path | None) -> bytes | None:
    """Return a file's content. Raises: StartupError."""
    return read_secret(file).encode() if file else None


async def connect(settings: Settings) -> Client:
    """Connect. Raises: RuntimeError when Temporal does not answer."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=tls_of(settings),
        data_converter=PLAIN,
    )


async def connect_patiently(settings: Settings) -> Client:
    """Connect, however long Temporal takes to start."""
    told = False
    while True:
        try:
            return await connect(settings)
        except (RuntimeError, RPCError) as error:
            if not told:
                _log.warning("waiting for temporal", error=str(error)[:200])
            told = True
            await asyncio.sleep(0.2)


async def prepare(client: Client, settings: Settings) -> None:
    """Create the namespace and the search attributes, and wait until they can be used."""
    await _ensure_namespace(client, settings)
    wanted = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in SEARCH_ATTRIBUTES}
    while True:
        try:
            known = await client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=client.namespace)
            )
            missing = {name: kind for name, kind in wanted.items()
                       if name not in known.custom_attributes}  # fmt: skip
            if not missing:
                return
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
        except RPCError as error:
            # A new namespace is known everywhere only some seconds after its registration.
            if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.ALREADY_EXISTS):
                raise
        await asyncio.sleep(0.2)


async def _ensure_namespace(client: Client, settings: Settings) -> None:
    service = client.workflow_service
    try:
        await service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        retention = Duration()
        retention.FromTimedelta(timedelta(days=settings.temporal_retention_days))
        try:
            await service.register_namespace(
                RegisterNamespaceRequest(
                    namespace=client.namespace, workflow_execution_retention_period=retention
                )
            )
        except RPCError as registered:
            if registered.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
