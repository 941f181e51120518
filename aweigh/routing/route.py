"""Generations, each the containers of one deployment, and the route files that make them live."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

import yaml

from aweigh.deployments.application import ApplicationSettings, Domain, HealthCheck

WEB: Final = "web"
WEB_SECURE: Final = "websecure"
PROBE: Final = "aweigh-probe"
RESOLVER: Final = "acme"
#: Selects an application on the probe entry point, which listens on loopback only.
PROBE_HEADER: Final = "X-Aweigh-Probe"
#: Added to responses of the probe router: the generation that answered.
GENERATION_HEADER: Final = "X-Aweigh-Generation"

#: The statuses of a missing or dead backend, whichever generation is in the header.
DEAD: Final = frozenset({502, 503, 504})

_FIRST_LINE: Final = "# aweigh "
#: For requests sent to a crashed replica that is still among the servers. Only a request that was
#: not sent to any server yet is retried, so none is executed twice. Many attempts, because a retry
#: may choose the crashed one again.
_RETRY: Final = {"attempts": 6, "timeout": "5s"}
#: Headers that Traefik does not replace, and that applications trust for the client's address or
#: protocol. Only a trusted proxy in front may set them. Traefik itself replaces `X-Forwarded-For`,
#: `-Host`, `-Port`, `-Proto`, `-Server`, `-Prefix`, `-Uri`, `-Method`, `-Tls-Client-Cert` and
#: `X-Real-Ip`; its entry points drop other spellings (`X.Forwarded.For`).
FORGEABLE: Final = (
    "Ali-Cdn-Real-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Visitor", "Client-Ip",
    "Cloudfront-Forwarded-Proto", "Cloudfront-Viewer-Address", "Fastly-Client-Ip", "Fly-Client-Ip",
    "Forwarded", "Front-End-Https", "Proxy", "Proxy-Client-Ip", "Remote-User", "Ssl-Client-Cert",
    "True-Client-Ip", "Wl-Proxy-Client-Ip", "X-Appengine-User-Ip", "X-Arr-Clientcert", "X-Arr-Ssl",
    "X-Azure-Clientip", "X-Azure-Socketip", "X-Client-Cert", "X-Client-Ip", "X-Cluster-Client-Ip",
    "X-Do-Connecting-Ip", "X-Envoy-External-Address", "X-Forwarded", "X-Forwarded-Access-Token",
    "X-Forwarded-Account", "X-Forwarded-Authority", "X-Forwarded-Base-Path", "X-Forwarded-Basepath",
    "X-Forwarded-By", "X-Forwarded-Client-Cert", "X-Forwarded-Client-Ip", "X-Forwarded-Context",
    "X-Forwarded-Domain", "X-Forwarded-Email", "X-Forwarded-For-Original", "X-Forwarded-Groups",
    "X-Forwarded-Hostname", "X-Forwarded-Https", "X-Forwarded-Id-Token", "X-Forwarded-Ip",
    "X-Forwarded-Path", "X-Forwarded-Preferred-Username", "X-Forwarded-Protocol",
    "X-Forwarded-Remote-Addr", "X-Forwarded-Remote-User", "X-Forwarded-Request-Uri",
    "X-Forwarded-Roles", "X-Forwarded-Root", "X-Forwarded-Schema", "X-Forwarded-Scheme",
    "X-Forwarded-Script-Name", "X-Forwarded-Server-Name", "X-Forwarded-Ssl", "X-Forwarded-Uid",
    "X-Forwarded-Url", "X-Forwarded-User", "X-Host", "X-Http-Host-Override", "X-Https",
    "X-Ms-Client-Principal", "X-Nf-Client-Connection-Ip", "X-Original-Forwarded-For",
    "X-Original-Host", "X-Original-Proto", "X-Original-Remote-Addr", "X-Original-Scheme",
    "X-Original-Url", "X-Originating-Ip", "X-Proto", "X-Proxyuser-Ip", "X-Real-Port",
    "X-Real-Proto", "X-Remote-Addr", "X-Remote-Ip", "X-Remote-User", "X-Rewrite-Url", "X-Scheme",
    "X-Ssl", "X-Ssl-Client-Cert", "X-Url-Scheme", "X-Vercel-Forwarded-For",
)  # fmt: skip
#: Set by a proxy in front that received the request over TLS.
_ENDED_TLS: Final = "(Header(`X-Forwarded-Proto`, `https`) || Header(`X-Forwarded-Proto`, `wss`))"


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The first line of a route file: enough to recreate the generation's containers."""

    instance: str
    application: str
    slug: str
    deployment: str
    sequence: int
    image_id: str
    addresses: tuple[str, ...]
    port: int | None

    @property
    def service(self) -> str:
        # An underscore cannot occur in a slug, so names of two applications always differ.
        return f"{self.slug}_{self.sequence}"

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"http://{address}:{self.port}" for address in self.addresses)


@dataclass(frozen=True, kw_only=True)
class Routing:
    """The settings of this server's proxy that routes depend on."""

    certificates: bool  # whether an ACME resolver is configured
    secure_port: int = 443
    #: Addresses and networks of proxies in front whose headers about the client are trusted.
    trusted_proxies: tuple[str, ...] = ()


def rule(domain: Domain) -> str:
    """Return the Traefik rule of a domain, whose grammars leave nothing to quote.

    A prefix ends at a segment: `/api` matches `/api` and `/api/…`, not `/apiary` or `/api%2Fx`. Of
    two rules for a host, the longer one wins, which has the longer path.
    """
    host = f"Host(`{domain.host}`)"
    if domain.path == "/":
        return host
    return f"{host} && (Path(`{domain.path}`) || PathPrefix(`{domain.path}/`))"


def _tls(routing: Routing) -> dict[str, Any]:
    return {"certResolver": RESOLVER} if routing.certificates else {}


def _routers(
    generation: Generation, domains: tuple[Domain, ...], routing: Routing
) -> dict[str, Any]:
    service = generation.service
    routers: dict[str, Any] = {
        f"{service}_probe": {
            "rule": f"Header(`{PROBE_HEADER}`, `{generation.slug}`)",
            "entryPoints": [PROBE],
            "middlewares": [f"{service}_stamp"],
            "service": service,
        }
    }
    for index, domain in enumerate(domains):
        routers |= _domain_routers(generation, f"{service}_{index}", domain, routing)
    return routers


def _domain_routers(
    generation: Generation, name: str, domain: Domain, routing: Routing
) -> dict[str, Any]:
    service, wanted = generation.service, rule(domain)
    retry = [f"{service}_retry"] if len(generation.addresses) > 1 else []
    router: dict[str, Any] = {"rule": wanted, "service": service, "entryPoints": [WEB]}
    router["middlewares"] = [f"{service}_untrusted", *retry]
    routers = {name: router}
    if domain.tls:
        https = [f"{service}_https", *router["middlewares"]]
        routers = {f"{name}_plain": router | {"middlewares": https}}
        routers[name] = router | {"entryPoints": [WEB_SECURE], "tls": _tls(routing)}
    if routing.trusted_proxies:
        routers |= {f"{key}_trusted": _trusted(one, retry, routing) for key, one in routers.items()}
    return routers


def _trusted(router: dict[str, Any], middlewares: list[str], routing: Routing) -> dict[str, Any]:
    """Return the router for requests of a trusted proxy, whose headers are all passed on.

    Requests that the proxy received over TLS are not redirected to https, which would be a loop.
    """
    clients = " || ".join(f"ClientIP(`{one}`)" for one in routing.trusted_proxies)
    redirects = router["middlewares"][0].endswith("_https")
    said = f" && {_ENDED_TLS}" if redirects else ""
    # Before the same domain's other router, and after those with longer paths.
    first = {"rule": f"{router['rule']} && ({clients}){said}", "priority": len(router["rule"]) + 1}
    return router | first | {"middlewares": middlewares}


def _middlewares(
    generation: Generation, domains: tuple[Domain, ...], routing: Routing
) -> dict[str, Any]:
    stamp = {GENERATION_HEADER: str(generation.sequence)}
    middlewares: dict[str, Any] = {
        f"{generation.service}_stamp": {
            "headers": {"customRequestHeaders": {PROBE_HEADER: ""}, "customResponseHeaders": stamp}
        },
        f"{generation.service}_untrusted": {
            "headers": {"customRequestHeaders": dict.fromkeys(FORGEABLE, "")}
        },
    }
    if any(domain.tls for domain in domains):
        https = {"scheme": "https", "port": str(routing.secure_port), "permanent": True}
        middlewares[f"{generation.service}_https"] = {"redirectScheme": https}
    if len(generation.addresses) > 1:
        middlewares[f"{generation.service}_retry"] = {"retry": _RETRY}
    return middlewares


def _health_check(check: HealthCheck, host: str) -> dict[str, Any]:
    """Return the gate's own check: any other could take healthy servers out."""
    asked: dict[str, Any] = {"path": check.path, "interval": "1s", "timeout": "2s"}
    asked |= {"hostname": host, "followRedirects": False}
    if check.port:
        asked["port"] = check.port
    if check.status:
        asked["status"] = check.status
    return asked


def _service(
    generation: Generation, servers: tuple[str, ...], settings: ApplicationSettings
) -> dict[str, Any]:
    health = settings.health_check
    balancer: dict[str, Any] = {
        "servers": [{"url": f"http://{address}:{generation.port}"} for address in servers]
    }
    if health and proxy_checks_health(generation, health):
        balancer["healthCheck"] = _health_check(health, settings.domains[0].host)
    return {generation.service: {"loadBalancer": balancer}}


def proxy_checks_health(generation: Generation, health: HealthCheck | None) -> bool:
    """Whether Traefik itself takes a crashed replica out of the servers.

    Never with one replica: a check on a path the application does not know would turn every request
    into a 503, and a single container that crashed is back after its restart anyway.
    """
    return len(generation.addresses) > 1 and health is not None and health.type == "http"


def render(
    generation: Generation,
    settings: ApplicationSettings,
    routing: Routing,
    servers: tuple[str, ...] | None = None,
) -> str:
    """Return the file that makes `generation` live, with `servers` (by default all of its
    addresses).

    Raises:
        ValueError: Traefik would read the text as a template, or there are no servers.
    """
    text = _FIRST_LINE + json.dumps(asdict(generation), sort_keys=True) + "\n"
    if settings.domains:
        pool = generation.addresses if servers is None else servers
        if not pool:
            raise ValueError("a route without servers answers every request with 503")
        http = {
            "routers": _routers(generation, settings.domains, routing),
            "middlewares": _middlewares(generation, settings.domains, routing),
            "services": _service(generation, pool, settings),
        }
        text += yaml.safe_dump({"http": http}, sort_keys=False, width=1000)
    if "{{" in text:
        raise ValueError("'{{' would be read as a template")
    return text


def read(text: str) -> Generation:
    """Return the generation in a route file.

    Raises:
        ValueError: the file was not written by Aweigh.
    """
    first, _, _ = text.partition("\n")
    if not first.startswith(_FIRST_LINE):
        raise ValueError("its first line does not name a generation")
    try:
        facts = json.loads(first.removeprefix(_FIRST_LINE))
        facts["addresses"] = tuple(facts["addresses"])
        return Generation(**facts)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"its first line is not a generation: {error}") from error
