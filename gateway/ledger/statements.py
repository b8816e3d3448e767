"""Statements that are put together once from the schema's tables and then carried out by the driver itself.

SQLAlchemy takes longer to carry a statement out than SQLite does. And rows go in and out by statements of many rows,
since the driver gives the interpreter's lock away at each step: a step a row would let go of it a hundred times while
the writer lock is held. Whatever the driver raises is not translated.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    TypeDecorator,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""How many rows a statement is made for: few texts, so that the driver has them prepared."""

Process = Callable[[Any], Any]
Row = tuple[Any, ...]


def carry_out(connection: Connection, text: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """The driver's cursor of a statement in the driver's own words."""
    driver: Any = connection.connection.dbapi_connection
    return driver.execute(text, values)


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Whatever raises inside leaves nothing of what was written inside."""
    carry_out(connection, "SAVEPOINT of_group")
    try:
        yield
    except BaseException:
        with suppress(Exception):  # where it can't be taken back the transaction is over, and the error says why
            carry_out(connection, "ROLLBACK TO SAVEPOINT of_group")
            carry_out(connection, "RELEASE SAVEPOINT of_group")
        raise
    carry_out(connection, "RELEASE SAVEPOINT of_group")


class _Texts(TypeDecorator[Sequence[str]]):
    """A list of texts as one value."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class Among(ColumnElement[bool]):
    """Whether a column is one of a list, which is the one parameter `wanted` however long it is."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.wanted: BindParameter[Any] = bindparam("wanted", type_=_Texts())


@compiles(Among, "sqlite")
def _among_on_sqlite(element: Among, compiler: SQLCompiler, **named: Any) -> str:
    column, wanted = compiler.process(element.column, **named), compiler.process(element.wanted, **named)
    return f"{column} IN (SELECT value FROM json_each({wanted}))"  # noqa: S608 - names of the schema


@compiles(Among, "postgresql")
def _among_on_postgresql(element: Among, compiler: SQLCompiler, **named: Any) -> str:
    return f"{compiler.process(element.column, **named)} = ANY({compiler.process(element.wanted, **named)})"


class _Compiled:
    """A statement of SQLAlchemy's for one kind of database: its text, and how its values go in and out."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
        self.text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup
        self._given = dict(compiled.params)
        self._needed = {name for name, bind in compiled.binds.items() if bind.required}
        processors = {name: _bind_processor(bind.type, dialect) for name, bind in compiled.binds.items()}
        self._processors = {name: process for name, process in processors.items() if process is not None}
        self._given = {name: self._processed(name, value) for name, value in self._given.items()}
        columns = list(statement.selected_columns) if isinstance(statement, Select) else []
        self.results = tuple(
            (position, process)
            for position, column in enumerate(columns)
            if (process := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        )

    def values(self, named: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        if named.keys() != self._needed:
            raise TypeError(f"a statement needs {sorted(self._needed)} and was given {sorted(named)}")
        values = {**self._given, **{name: self._processed(name, value) for name, value in named.items()}}
        return values if self._order is None else [values[name] for name in self._order]

    def _processed(self, name: str, value: Any) -> Any:
        process = self._processors.get(name)
        return value if process is None else process(value)


class Prepared:
    """A statement of SQLAlchemy's, put together once for each kind of database."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._made: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows it changed."""
        made = self.compiled(connection.dialect)
        return int(carry_out(connection, made.text, made.values(values)).rowcount)

    def rows(self, connection: Connection, **values: Any) -> list[Row]:
        """The rows of a query, values as the columns' types have them."""
        made = self.compiled(connection.dialect)
        found: list[Row] = carry_out(connection, made.text, made.values(values)).fetchall()
        return _as_typed(found, made.results) if made.results else found

    def among(self, connection: Connection, wanted: Sequence[str], **values: Any) -> list[Row]:
        """The same for a query with `Among`; nothing is asked where the list is empty."""
        return self.rows(connection, wanted=wanted, **values) if wanted else []

    def compiled(self, dialect: Dialect) -> _Compiled:
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _Compiled(self._statement, dialect)
        return made


def _as_typed(found: list[Row], results: Sequence[tuple[int, Process]]) -> list[Row]:
    typed = []
    for row in found:
        values = list(row)
        for position, process in results:
            values[position] = process(values[position])
        typed.append(tuple(values))
    return typed


def _bind_processor(type_: TypeEngine[Any], dialect: Dialect) -> Process | None:
    process: Process | None = type_.dialect_impl(dialect).bind_processor(dialect)
    return process


class Insert:
    """INSERT of rows into a table, many in a statement.

    Of a row that is there already `replaced` are the columns that are set: none, and it stays as it is. None: no row
    may be there. In one call no two rows may be the same one.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        *,
        replaced: Sequence[str] | None = None,
        where: str = "",
    ) -> None:
        self.columns = tuple(columns if columns is not None else (one.name for one in table.columns))
        self._table = table
        self._replaced = replaced
        self._where = where
        self._made: dict[tuple[str, int], str] = {}
        self._processors: dict[str, tuple[Process | None, ...]] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Values of a row stand in the order of `columns`."""
        dialect = connection.dialect
        processors = self._processors.get(dialect.name)
        if processors is None:
            found = (_bind_processor(self._table.c[name].type, dialect) for name in self.columns)
            processors = self._processors[dialect.name] = tuple(found)
        for part in _parts(rows):
            carry_out(connection, self.text(dialect, len(part)), _flat(part, processors))

    def text(self, dialect: Dialect, size: int) -> str:
        made = self._made.get((dialect.name, size))
        if made is None:
            row = f"({', '.join([_mark(dialect)] * len(self.columns))})"
            quoted = _quoted(dialect, self.columns)
            values = ", ".join([row] * size)
            into = f"INSERT INTO {self._table.name} ({', '.join(quoted)})"
            made = self._made[dialect.name, size] = f"{into} VALUES {values}{self._conflict(dialect)}"
        return made

    def _conflict(self, dialect: Dialect) -> str:
        if self._replaced is None:
            return ""
        key = ", ".join(_quoted(dialect, [one.name for one in self._table.primary_key.columns]))
        if not self._replaced:
            return f" ON CONFLICT ({key}) DO NOTHING"
        changes = ", ".join(f"{name} = excluded.{name}" for name in _quoted(dialect, self._replaced))
        return f" ON CONFLICT ({key}) DO UPDATE SET {changes} {self._where}".rstrip()


_CHANGES = "SELECT changes()"
"""SQLite's driver counts only what begins with the word that changes rows."""


class Given:
    """A statement about rows that are given to it, many at once: as the table `given`, with these columns of `table`.

    `text` says what is done, in words that both kinds of database know; `{row}` is what each calls a row by.
    """

    def __init__(self, table: Table, columns: Sequence[str], text: str, names: Sequence[str] | None = None) -> None:
        self._table = table
        self._columns = tuple(columns)
        self._names = tuple(names if names is not None else columns)
        self._text = text
        self._made: dict[tuple[str, int], str] = {}
        self._processors: dict[str, tuple[Process | None, ...]] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Values of a row stand in the order of the columns; how many rows of the table were changed."""
        dialect = connection.dialect
        processors = self._processors.get(dialect.name)
        if processors is None:
            found = (_bind_processor(self._table.c[name].type, dialect) for name in self._columns)
            processors = self._processors[dialect.name] = tuple(found)
        changed = 0
        for part in _parts(rows):
            values = _flat(part, processors)
            found = carry_out(connection, self.text(dialect, len(part)), values).rowcount
            changed += found if found >= 0 else carry_out(connection, _CHANGES).fetchone()[0]
        return changed

    def text(self, dialect: Dialect, size: int) -> str:
        made = self._made.get((dialect.name, size))
        if made is None:
            row = f"({', '.join(_typed_mark(dialect, self._table.c[name].type) for name in self._columns)})"
            names = ", ".join(_quoted(dialect, self._names))
            said = self._text.replace("{row}", "rowid" if dialect.name == "sqlite" else "ctid")
            made = f"WITH given ({names}) AS (VALUES {', '.join([row] * size)}) {said}"
            self._made[dialect.name, size] = made
        return made


class Update(Given):
    """UPDATE of rows, each with values of its own, many in a statement.

    `keys` are the columns by which a row is found, `changed` those that are set; `where` is what else must hold.
    """

    def __init__(self, table: Table, keys: Sequence[str], changed: Sequence[str], where: str = "") -> None:
        columns = (*keys, *changed)
        names = [f"given_{position}" for position in range(len(columns))]
        pairs = [(f'"{column}"', name) for column, name in zip(columns, names, strict=True)]
        found = " AND ".join(f"{table.name}.{column} = given.{name}" for column, name in pairs[: len(keys)])
        changes = ", ".join(f"{column} = given.{name}" for column, name in pairs[len(keys) :])
        text = f"UPDATE {table.name} SET {changes} FROM given WHERE {found} {where}".rstrip()  # noqa: S608 - our names
        super().__init__(table, columns, text, names)


def _flat(rows: Sequence[Sequence[Any]], processors: Sequence[Process | None]) -> list[Any]:
    return [
        value if process is None or value is None else process(value)
        for row in rows
        for process, value in zip(processors, row, strict=True)
    ]


def _parts(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    start, left = 0, len(rows)
    while left:
        size = next(one for one in _SIZES if one <= left)
        yield rows[start : start + size]
        start, left = start + size, left - size


def _mark(dialect: Dialect) -> str:
    return "?" if dialect.name == "sqlite" else "%s"


def _typed_mark(dialect: Dialect, type_: TypeEngine[Any]) -> str:
    """PostgreSQL takes what is in a list of rows of its own for text, unless it is told."""
    mark = _mark(dialect)
    return mark if dialect.name == "sqlite" else f"CAST({mark} AS {type_.compile(dialect)})"


def _quoted(dialect: Dialect, names: Sequence[str]) -> list[str]:
    quote = dialect.identifier_preparer.quote
    return [quote(name) for name in names]
