"""What the law may oblige the gateway to do for a person, in one form from the adapter to the end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Duty(StrEnum):
    """What is demanded."""

    ERASE = "erase"
    COPY = "copy"


@dataclass(frozen=True)
class Subject:
    """Who is meant: e-mail addresses, names of memory (a customer's id) and of facts (its orders), as events name them.

    `whole_account` is everything of the account that the source event belongs to. Once the gateway has put adapter and
    account before all names, `account` is what begins those of that account; None where it is not meant.
    Where `destination` is None the person is meant wherever the ledger knows of it.
    """

    addresses: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    whole_account: bool = False
    account: str | None = None
    destination: str | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.addresses or self.memories or self.keys or self.whole_account)


@dataclass(frozen=True)
class PrivacyRequest:
    """That a person is to be erased, or that somebody asks for a copy of what is held on a person.

    `reference` is the provider's name for it, shown to the operator.
    """

    duty: Duty
    subject: Subject
    reference: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What it says, and only that, as a case of the adapter's tests has it."""
        said = {
            "people": list(self.subject.addresses),
            "memories": list(self.subject.memories),
            "keys": list(self.subject.keys),
            "whole_account": self.subject.whole_account,
            "reference": self.reference,
        }
        return {"duty": self.duty.value, **{name: value for name, value in said.items() if value}}
