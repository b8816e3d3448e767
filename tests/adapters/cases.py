"""Every case of every adapter, and how one is told to its adapter: signed, verified, split, translated."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gateway.translation import trial
from gateway.translation.adapter import Adapter
from gateway.translation.registry import adapters, samples
from gateway.translation.rehearsal import RehearsalMemory
from gateway.translation.sample import Sample
from gateway.translation.signature import KeyPair, verify
from gateway.translation.trial import Became
from gateway.translation.webhook import VerifiedWebhook, Webhook

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADAPTERS = list(adapters().values())
CASES = [(adapter, sample) for adapter in ADAPTERS for sample in samples(adapter.name).values()]

Remembered = RehearsalMemory
"""Memory as the ledger keeps it: of two memos the later one counts, whichever came first."""


@lru_cache(maxsize=256)
def keys_of(scheme: Any, number: int = 0) -> KeyPair:
    """Key pair `number` of a scheme, made once: RSA keys take their time."""
    pair: KeyPair = scheme.generate()
    return pair


def options_of(adapter: Adapter, sample: Sample) -> Mapping[str, Any]:
    options: Mapping[str, Any] = adapter.options().load(sample.options)
    return options


def webhook_of(sample: Sample) -> Webhook:
    return sample.webhook(sample.adapter, f"https://hooks.example.com/webhooks/{sample.adapter}", NOW)


def verified(adapter: Adapter, sample: Sample, webhook: Webhook | None = None) -> VerifiedWebhook:
    """The case, or another webhook, signed with key pair 0 when it is received, and proven."""
    scheme: Any = adapter.scheme(options_of(adapter, sample))
    pair, unsigned = keys_of(scheme), webhook or webhook_of(sample)
    return verify(scheme, scheme.sign(unsigned, pair.signing, unsigned.received_at), [pair.verifying])


def tell(adapter: Adapter, sample: Sample, memory: Remembered) -> Became:
    """Translate one case; what it teaches is learnt into `memory`."""
    return trial.translated(adapter, verified(adapter, sample), options_of(adapter, sample), memory)


def memory_before(adapter: Adapter, sample: Sample) -> Remembered:
    """What those cases taught that it says come first."""
    memory = Remembered()
    for earlier in sample.after:
        tell(adapter, samples(adapter.name)[earlier], memory)
    return memory


def tell_after(adapter: Adapter, sample: Sample) -> Became:
    """Translate a case with the memory of those that it says come first."""
    return tell(adapter, sample, memory_before(adapter, sample))
