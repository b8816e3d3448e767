"""How a subscription is confirmed that a provider asks about: by visiting the address that it names."""

from gateway.errors import UnavailableError
from gateway.translation import visit


def confirm(address: str) -> None:
    """Raises UnavailableError where the visit fails: the webhook must not be acknowledged, so that it comes again."""
    answer = visit.get(address)
    if answer.status != 200:
        raise UnavailableError(f"the subscription could not be confirmed: status {answer.status}")
