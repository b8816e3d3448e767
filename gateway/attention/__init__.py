"""The one list of what needs a person: `attention` makes it, and every place that tells it shows this list."""

from gateway.attention.facts import Facts, Watched, gathered, trouble_of
from gateway.attention.kinds import KINDS, attention, counts
from gateway.attention.need import Code, Need, Severity

__all__ = ["KINDS", "Code", "Facts", "Need", "Severity", "Watched", "attention", "counts", "gathered", "trouble_of"]
