"""The whole file of a routed application, as it stands in the directory that Traefik watches."""

import json
from dataclasses import replace
from typing import Any

from inline_snapshot import snapshot

from aweigh.routing.route import FORGEABLE, Generation, Routing, render
from tests.support.installation import settings_of

GENERATION = Generation(
    instance="0123456789abcdef", application="app_1", slug="shop", deployment="dep_1", sequence=7,
    image_id="sha256:1", addresses=("10.201.1.0",), port=8000,
)  # fmt: skip
DOMAIN = {"host": "shop.example.com"}


def rendered(
    *, addresses: tuple[str, ...] = GENERATION.addresses, certificates: bool = False, **fields: Any
) -> str:
    generation = replace(GENERATION, addresses=addresses)
    routing = Routing(certificates=certificates, secure_port=8443)
    first, _, routes = render(generation, settings_of(**fields), routing).partition("\n")
    assert first.startswith("# aweigh {")
    for name in FORGEABLE:  # a long list, the same in every file
        routes = routes.replace(f"          {name}: ''\n", "")
    return routes


def test_the_first_line_says_what_is_live() -> None:
    first, _, _ = render(GENERATION, settings_of(), Routing(certificates=False)).partition("\n")

    assert json.loads(first.removeprefix("# aweigh ")) == {
        "instance": "0123456789abcdef", "application": "app_1", "slug": "shop",
        "deployment": "dep_1", "sequence": 7, "image_id": "sha256:1",
        "addresses": ["10.201.1.0"], "port": 8000,
    }  # fmt: skip


def test_without_tls_a_domain_is_one_router() -> None:
    assert rendered(domains=[DOMAIN | {"tls": False}]) == snapshot("""\
http:
  routers:
    shop_7_probe:
      rule: Header(`X-Aweigh-Probe`, `shop`)
      entryPoints:
      - aweigh-probe
      middlewares:
      - shop_7_stamp
      service: shop_7
    shop_7_0:
      rule: Host(`shop.example.com`)
      service: shop_7
      entryPoints:
      - web
      middlewares:
      - shop_7_untrusted
  middlewares:
    shop_7_stamp:
      headers:
        customRequestHeaders:
          X-Aweigh-Probe: ''
        customResponseHeaders:
          X-Aweigh-Generation: '7'
    shop_7_untrusted:
      headers:
        customRequestHeaders:
  services:
    shop_7:
      loadBalancer:
        servers:
        - url: http://10.201.1.0:8000
""")


def test_with_tls_the_plain_entry_point_redirects() -> None:
    assert rendered(domains=[DOMAIN | {"path": "/api"}]) == snapshot("""\
http:
  routers:
    shop_7_probe:
      rule: Header(`X-Aweigh-Probe`, `shop`)
      entryPoints:
      - aweigh-probe
      middlewares:
      - shop_7_stamp
      service: shop_7
    shop_7_0_plain:
      rule: Host(`shop.example.com`) && (Path(`/api`) || PathPrefix(`/api/`))
      service: shop_7
      entryPoints:
      - web
      middlewares:
      - shop_7_https
      - shop_7_untrusted
    shop_7_0:
      rule: Host(`shop.example.com`) && (Path(`/api`) || PathPrefix(`/api/`))
      service: shop_7
      entryPoints:
      - websecure
      middlewares:
      - shop_7_untrusted
      tls: {}
  middlewares:
    shop_7_stamp:
      headers:
        customRequestHeaders:
          X-Aweigh-Probe: ''
        customResponseHeaders:
          X-Aweigh-Generation: '7'
    shop_7_untrusted:
      headers:
        customRequestHeaders:
    shop_7_https:
      redirectScheme:
        scheme: https
        port: '8443'
        permanent: true
  services:
    shop_7:
      loadBalancer:
        servers:
        - url: http://10.201.1.0:8000
""")


def test_with_acme_a_router_names_its_resolver() -> None:
    assert rendered(
        domains=[DOMAIN, {"host": "www.example.com", "tls": False}], certificates=True
    ) == snapshot("""\
http:
  routers:
    shop_7_probe:
      rule: Header(`X-Aweigh-Probe`, `shop`)
      entryPoints:
      - aweigh-probe
      middlewares:
      - shop_7_stamp
      service: shop_7
    shop_7_0_plain:
      rule: Host(`shop.example.com`)
      service: shop_7
      entryPoints:
      - web
      middlewares:
      - shop_7_https
      - shop_7_untrusted
    shop_7_0:
      rule: Host(`shop.example.com`)
      service: shop_7
      entryPoints:
      - websecure
      middlewares:
      - shop_7_untrusted
      tls:
        certResolver: acme
    shop_7_1:
      rule: Host(`www.example.com`)
      service: shop_7
      entryPoints:
      - web
      middlewares:
      - shop_7_untrusted
  middlewares:
    shop_7_stamp:
      headers:
        customRequestHeaders:
          X-Aweigh-Probe: ''
        customResponseHeaders:
          X-Aweigh-Generation: '7'
    shop_7_untrusted:
      headers:
        customRequestHeaders:
    shop_7_https:
      redirectScheme:
        scheme: https
        port: '8443'
        permanent: true
  services:
    shop_7:
      loadBalancer:
        servers:
        - url: http://10.201.1.0:8000
""")


def test_three_replicas_are_checked_with_exactly_the_gates_question() -> None:
    assert rendered(
        addresses=("10.201.1.0", "10.201.1.1", "10.201.1.2"), replicas=3,
        domains=[DOMAIN | {"tls": False}],
        health_check={"type": "http", "path": "/up", "status": 204, "port": 9000},
    ) == snapshot("""\
http:
  routers:
    shop_7_probe:
      rule: Header(`X-Aweigh-Probe`, `shop`)
      entryPoints:
      - aweigh-probe
      middlewares:
      - shop_7_stamp
      service: shop_7
    shop_7_0:
      rule: Host(`shop.example.com`)
      service: shop_7
      entryPoints:
      - web
      middlewares:
      - shop_7_untrusted
      - shop_7_retry
  middlewares:
    shop_7_stamp:
      headers:
        customRequestHeaders:
          X-Aweigh-Probe: ''
        customResponseHeaders:
          X-Aweigh-Generation: '7'
    shop_7_untrusted:
      headers:
        customRequestHeaders:
    shop_7_retry:
      retry:
        attempts: 6
        timeout: 5s
  services:
    shop_7:
      loadBalancer:
        servers:
        - url: http://10.201.1.0:8000
        - url: http://10.201.1.1:8000
        - url: http://10.201.1.2:8000
        healthCheck:
          path: /up
          interval: 1s
          timeout: 2s
          hostname: shop.example.com
          followRedirects: false
          port: 9000
          status: 204
""")  # fmt: skip


def test_one_replica_is_never_checked() -> None:
    text = rendered(domains=[DOMAIN], health_check={"type": "http", "path": "/up"})

    assert "healthCheck" not in text
