"""The labels of a container by which a Traefik that reads labels would route to it."""

import pytest
from inline_snapshot import snapshot

from aweigh.engine.container_spec import ContainerSpec
from aweigh.images.facts import ImageFacts
from tests.support.specs import release_command, replica


def traefik(spec: ContainerSpec) -> dict[str, str]:
    return {key: value for key, value in spec.labels.items() if "traefik" in key.lower()}


def test_an_application_with_domains_carries_the_standard_labels() -> None:
    domains = [{"host": "a.b"}, {"host": "c.d", "path": "/api", "tls": False}]

    assert traefik(replica(domains=domains, certificates=True)) == snapshot(
        {
            "traefik.enable": "true",
            "traefik.docker.network": "aweigh.application-shop",
            "traefik.http.services.shop.loadbalancer.server.port": "8000",
            "traefik.http.routers.shop-0.rule": "Host(`a.b`)",
            "traefik.http.routers.shop-0.entrypoints": "websecure",
            "traefik.http.routers.shop-0.service": "shop",
            "traefik.http.routers.shop-0.tls": "true",
            "traefik.http.routers.shop-0.tls.certresolver": "acme",
            "traefik.http.routers.shop-1.rule": (
                "Host(`c.d`) && (Path(`/api`) || PathPrefix(`/api/`))"
            ),
            "traefik.http.routers.shop-1.entrypoints": "web",
            "traefik.http.routers.shop-1.service": "shop",
        }
    )


def test_without_acme_a_label_names_no_resolver() -> None:
    assert [key for key in traefik(replica(domains=[{"host": "a.b"}])) if "resolver" in key] == []


def test_an_application_without_domains_is_closed_to_a_traefik_that_reads_labels() -> None:
    assert traefik(replica()) == {"traefik.enable": "false"}


STRANGE = {
    "traefik.enable": "true",
    "traefik.http.routers.x.rule": "Host(`bank.example.com`)",
    "Traefik.HTTP.Routers.y.Rule": "Host(`bank.example.com`)",
    "team": "b",
}


@pytest.mark.parametrize("domains", [[], [{"host": "a.b"}]], ids=["unrouted", "routed"])
def test_an_image_cannot_claim_a_route_by_its_own_labels(domains: list[dict[str, str]]) -> None:
    spec = replica(ImageFacts(id="sha256:1", exposed_tcp=(80,), labels=STRANGE), domains=domains)

    assert traefik(spec) == {
        "traefik.enable": "false",
        "traefik.http.routers.x.rule": "",
        "Traefik.HTTP.Routers.y.Rule": "",
    }


def test_an_image_cannot_claim_a_route_by_its_release_command() -> None:
    image = ImageFacts(id="sha256:1", labels=STRANGE)

    assert traefik(release_command(image)) == {
        "traefik.enable": "false",
        "traefik.http.routers.x.rule": "",
        "Traefik.HTTP.Routers.y.Rule": "",
    }
