"""The committed file: what it says of itself, and what is never written."""

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aweigh.deployments.application import Domain, HealthCheck
from aweigh.routing.route import Generation, Routing, proxy_checks_health, read, render, rule
from tests.support.installation import settings_of

GENERATION = Generation(
    instance="0123456789abcdef", application="app_1", slug="shop", deployment="dep_1", sequence=7,
    image_id="sha256:1", addresses=("10.201.1.0", "10.201.1.1", "10.201.1.2"), port=8000,
)  # fmt: skip
ROUTING = Routing(certificates=False)
ROUTED = settings_of(domains=[{"host": "shop.example.com"}])

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_generations = st.builds(
    Generation, instance=_texts, application=_texts, slug=_texts, deployment=_texts,
    sequence=st.integers(1, 10**9), image_id=_texts, port=st.none() | st.integers(1, 65535),
    addresses=st.lists(_texts, min_size=1, max_size=4).map(tuple),
)  # fmt: skip


@given(_generations, st.booleans())
def test_what_is_written_reads_back_as_it_was(generation: Generation, routed: bool) -> None:
    settings = ROUTED if routed else settings_of()
    try:
        text = render(generation, settings, ROUTING)
    except ValueError:
        assert "{{" in str(generation)
        return

    assert read(text) == generation


@given(_generations)
def test_what_is_written_is_one_document(generation: Generation) -> None:
    try:
        document = yaml.safe_load(render(generation, ROUTED, ROUTING))
    except ValueError:
        assert "{{" in str(generation)
        return

    assert list(document) == ["http"]


def test_an_unrouted_generation_has_nothing_for_the_proxy() -> None:
    text = render(GENERATION, settings_of(), ROUTING)

    assert text.count("\n") == 1
    assert yaml.safe_load(text) is None


def test_the_pool_may_be_a_part_of_the_generation() -> None:
    text = render(GENERATION, ROUTED, ROUTING, ("10.201.1.1",))

    balancer = yaml.safe_load(text)["http"]["services"]["shop_7"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://10.201.1.1:8000"}]
    assert read(text) == GENERATION


@pytest.mark.parametrize("servers", [(), None])
def test_an_empty_pool_is_never_written(servers: tuple[str, ...] | None) -> None:
    empty = replace(GENERATION, addresses=()) if servers is None else GENERATION

    with pytest.raises(ValueError, match="a route without servers answers every request with 503"):
        render(empty, ROUTED, ROUTING, servers)


@pytest.mark.parametrize("settings", [settings_of(), ROUTED], ids=["unrouted", "routed"])
def test_a_template_is_never_written(settings: object) -> None:
    with pytest.raises(ValueError, match="read as a template"):
        render(replace(GENERATION, deployment="{{env}}"), settings, ROUTING)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["", "http: {}\n", "# aweigh", "# aweigh \n", "# aweigh {}\n", "# aweigh []\n", "# aweigh 1\n",
     '# aweigh {"addresses": 1}\n', '# aweigh {"addresses": []}\n', '# aweigh {"addr',
     render(GENERATION, settings_of(), ROUTING)[:60]],
    ids=range(11),
)  # fmt: skip
def test_a_file_of_somebody_else_is_not_a_generation(text: str) -> None:
    with pytest.raises(ValueError, match="its first line"):
        read(text)


def test_services_of_different_generations_have_different_names() -> None:
    names = {
        replace(GENERATION, slug=slug, sequence=sequence).service
        for slug in ("shop", "shop-1", "shop-11")
        for sequence in (1, 11, 111)
    }

    assert len(names) == 9


@pytest.mark.parametrize(
    ("path", "text"),
    [("/", "Host(`a.b`)"), ("/api", "Host(`a.b`) && (Path(`/api`) || PathPrefix(`/api/`))")],
)
def test_a_domain_is_a_rule(path: str, text: str) -> None:
    assert rule(Domain(host="a.b", path=path)) == text


@pytest.mark.parametrize(
    ("replicas", "check", "checks"),
    [
        (3, HealthCheck(type="http"), True),
        (2, HealthCheck(type="http"), True),
        (1, HealthCheck(type="http"), False),
        (3, HealthCheck(type="tcp"), False),
        (3, HealthCheck(type="image"), False),
        (3, None, False),
    ],
)
def test_the_proxy_asks_by_itself_only_where_another_replica_can_stand_in(
    replicas: int, check: HealthCheck | None, checks: bool
) -> None:
    generation = replace(GENERATION, addresses=GENERATION.addresses[:replicas])

    assert proxy_checks_health(generation, check) is checks
