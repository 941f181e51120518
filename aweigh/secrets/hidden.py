"""What logs and messages of an application's deployments hide."""

from collections.abc import Iterator

from aweigh.deployments.application import ApplicationSettings, Domain
from aweigh.deployments.source import ImageSource
from aweigh.deployments.variable import hidden_of


def hidden_values(settings: ApplicationSettings, *names: str) -> list[str]:
    """Every value that no log may show.

    Not a variable that says what everybody is shown of the application anyway, such as its domain
    or one of these `names`: hiding it would only blank out what Aweigh itself tells of it.
    """
    shown = {*names, *_shown(settings)}
    variables = hidden_of(settings.env) + settings.source.hidden_variables
    return [one for one in variables if one not in shown] + settings.source.secrets


def _shown(settings: ApplicationSettings) -> Iterator[str]:
    source = settings.source
    if isinstance(source, ImageSource):
        reference = source.reference
        yield from (source.image, str(reference), reference.tag or "")
        yield from (reference.repository, reference.full_repository)
    else:
        yield from (source.repository, source.branch)
    yield from settings.networks
    for volume in settings.volumes:
        yield from (volume.source, volume.target)
    for domain in settings.domains:
        yield from _addresses(domain)


def _addresses(domain: Domain) -> Iterator[str]:
    """A domain as people write it, as a host and as a URL."""
    for scheme in ("", "http://", "https://"):
        for path in ("", "/", domain.path, f"{domain.path}/"):
            yield f"{scheme}{domain.host}{path}"
