"""Bodies take less room where that can be, and come back as they were."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, select, type_coerce
from sqlalchemy.dialects import sqlite

from gateway.ledger.database import Ledger
from gateway.ledger.schema import Packed, size_of, unpacked_size, webhooks
from tests.making import record, submission

PACKED = Packed()
DIALECT = sqlite.dialect()


@given(st.binary(max_size=300).flatmap(lambda part: st.integers(1, 50).map(lambda times: part * times)))
def test_what_is_packed_comes_back_and_never_takes_more_than_its_number_beside_it(body: bytes) -> None:
    stored = PACKED.process_bind_param(body, DIALECT)
    assert stored is not None
    assert (PACKED.process_result_value(stored, DIALECT), unpacked_size(stored)) == (body, len(body))
    assert len(stored) <= len(body) + 4


def test_a_body_is_stored_packed_and_its_size_is_told_without_it(ledger: Ledger) -> None:
    body = b'{"paid": true}' * 100
    record(ledger, submission(body=body))
    column = webhooks.c.body
    with ledger.read() as connection:
        row = connection.execute(select(column, size_of(column), type_coerce(column, LargeBinary))).one()
    assert (row[0], unpacked_size(row[1]), len(row[2]) < len(body) / 10) == (body, len(body), True)
