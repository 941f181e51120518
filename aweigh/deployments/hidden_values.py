"""The values that logs and messages of an application's deployments must hide."""

from collections.abc import Iterator

from aweigh.deployments.application import ApplicationSettings, Domain
from aweigh.deployments.source import ImageSource
from aweigh.deployments.variable import hidden_of


def hidden_values(settings: ApplicationSettings, *names: str) -> list[str]:
    """Return the values that must not appear in a log.

    Variables whose value is shown anyway, such as the application's domain or one of these `names`,
    are left out: hiding them would only blank out Aweigh's own messages.
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
    """Yield a domain as a host and as URLs."""
    for scheme in ("", "http://", "https://"):
        for path in ("", "/", domain.path, f"{domain.path}/"):
            yield f"{scheme}{domain.host}{path}"
