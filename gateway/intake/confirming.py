"""How a subscription is confirmed that a provider asks about: by visiting the address that it names."""

from gateway.errors import UnavailableError
from gateway.translation.signature import Fetch


def confirm(address: str, fetch: Fetch) -> None:
    """Raises UnavailableError where the visit fails: the webhook must not be acknowledged, so that it comes again."""
    answer = fetch(address)
    if answer.status != 200:
        raise UnavailableError(f"the subscription could not be confirmed: status {answer.status}")
