"""How a subscription is confirmed that a provider asks about: by visiting the address that it names."""

from gateway import http_get
from gateway.errors import UnavailableError


def confirm(address: str) -> None:
    """Raises UnavailableError where the visit fails: the webhook must not be acknowledged, so that it comes again."""
    answer = http_get.get(address)
    if answer.status != 200:
        raise UnavailableError(f"the subscription could not be confirmed: status {answer.status}")
