"""Which adapters there are: every module of `adapters/`, every YAML file, and what other packages offer."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType

import gateway
from gateway.errors import AdapterError
from gateway.translation.adapter import Adapter, Claim, covers, marks_of
from gateway.translation.declarative.adapter import adapter_of
from gateway.translation.sample import Sample, read

ENTRY_POINTS = "lumail_gateway.adapters"

SHIPPED = Path(gateway.__file__).parents[1] / "config" / "adapters"
"""The YAML adapters that come with the gateway."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@lru_cache(maxsize=16)
def adapters(folder: Path | None = None) -> Mapping[str, Adapter]:
    """All adapters by name; `folder` is where somebody's own YAML files lie (`beside` a configuration file).

    Raises AdapterError, which names the module or file at fault.
    """
    own = [] if folder is None or folder.absolute() == SHIPPED else [folder]
    files = [found for place in [SHIPPED, *own] for found in in_folder(place)]
    return collect([*in_package("adapters"), *offered(entry_points(group=ENTRY_POINTS)), *files])


def forget() -> None:
    """What was read of files is read anew when it is next asked for."""
    adapters.cache_clear()
    samples.cache_clear()


def beside(configuration: Path) -> Path:
    """Where the YAML adapters of a configuration file lie."""
    return configuration.absolute().parent / "adapters"


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order."""
    return sorted(file for ending in ("yaml", "yml") for file in folder.glob(f"*.{ending}"))


def in_folder(folder: Path) -> Iterator[tuple[str, Adapter]]:
    """What the YAML files of a folder declare; of one that is not there nothing. Raises AdapterError with every fault
    of every file.
    """
    faults = []
    for file in yaml_files(folder):
        try:
            yield str(file), adapter_of(file)
        except AdapterError as error:
            faults.append(str(error))
    if faults:
        raise AdapterError("\n".join(faults))


def collect(found: Iterable[tuple[str, object]]) -> Mapping[str, Adapter]:
    """Adapters by name, from pairs of where something was found and what; each is checked."""
    places: dict[str, str] = {}
    by_name: dict[str, Adapter] = {}
    for place, candidate in found:
        if not isinstance(candidate, Adapter):
            raise AdapterError(f"{place} exports no `adapter`: end it with `adapter = Adapter(name=…)`")
        _check(place, candidate)
        if candidate.name in places:
            raise AdapterError(f"{place}: the name {candidate.name} is taken by {places[candidate.name]}")
        places[candidate.name] = place
        by_name[candidate.name] = candidate
    return MappingProxyType(dict(sorted(by_name.items())))


@lru_cache(maxsize=64)
def samples(adapter_name: str, folder: Path | None = None) -> Mapping[str, Sample]:
    """An adapter's cases by name; empty for an adapter that came without. `folder` is somebody's own, as above.

    Raises AdapterError.
    """
    cases = {
        sample.case: sample
        for directory in [*_sample_directories(), *([] if folder is None else [folder])]
        for file in sorted((directory / adapter_name).glob("*.json"))
        for sample in read(file)
    }
    return MappingProxyType(cases)


def default_sample(adapter_name: str, folder: Path | None = None) -> Sample:
    """The case that stands for the adapter (`"sample": true`). Raises AdapterError where there is none or several."""
    marked = [sample for sample in samples(adapter_name, folder).values() if sample.default]
    if len(marked) != 1:
        raise AdapterError(f'adapter {adapter_name}: exactly one case has "sample": true, not {len(marked)}')
    return marked[0]


def _sample_directories() -> Iterator[Path]:
    package = Path(gateway.__file__).parent
    yield package / "samples"  # in an installed package
    yield package.parent / "tests" / "fixtures"  # in a checkout


def in_package(package: str) -> Iterator[tuple[str, object]]:
    """What the modules of a package export; those that begin with an underscore are parts of others."""
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        if module.name.rpartition(".")[2].startswith("_"):
            continue
        try:
            yield module.name, getattr(import_module(module.name), "adapter", None)
        except Exception as error:  # whatever goes wrong while a module is read: its name must be told
            raise AdapterError(f"{module.name} can't be used: {error}") from error


def offered(points: Iterable[EntryPoint]) -> Iterator[tuple[str, object]]:
    """What entry points lead to."""
    for point in points:
        place = f"entry point {point.name} ({point.value})"
        try:
            yield place, point.load()
        except Exception as error:  # as above
            raise AdapterError(f"{place} can't be used: {error}") from error


def _check(place: str, adapter: Adapter) -> None:
    if not _NAME.fullmatch(adapter.name):
        raise AdapterError(f"{place}: the name {adapter.name!r} may hold a-z, 0-9, - and _ only")
    for pattern, reason in adapter.ignored.items():
        if not reason:
            raise AdapterError(f"{place}: {pattern} is ignored without a reason")
        handled = [event_type for event_type in adapter.handlers if covers(pattern, event_type)]
        if handled:
            raise AdapterError(f"{place}: {', '.join(handled)} has a handler and is ignored as {pattern}")
    if Claim.TYPE in adapter.claims:
        unmarked = [event_type for event_type in adapter.handlers if marks_of(adapter, event_type) is None]
        if unmarked:
            raise AdapterError(
                f"{place}: the type is not signed, and nothing says how a body of {', '.join(unmarked)} is known: "
                "name fields that it has and others lack (`marks`; in YAML `bodies`)"
            )
