"""Types of the ledger's columns: exact numbers of any size, on SQLite and on PostgreSQL.

Neither a share that a tenant's annotation of thirty digits gives nor the money of one open
node-year in a small currency fits 64 bits, and SQLite turns what does not fit into floats without a
word.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Numeric, Text, TypeDecorator
from sqlalchemy.types import TypeEngine, UserDefinedType

_INT64 = 1 << 63


def plain(value: int) -> int | str:
    """An integer as SQLite takes it without loss: decimal text where 64 bits are too few."""
    return value if -_INT64 <= value < _INT64 else str(value)


class Whole(TypeDecorator[int]):
    """An integer of any size, as decimal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:
        """Write."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        """Read."""
        return None if value is None else int(value)


class Ratio(TypeDecorator[Fraction]):
    """An exact fraction, as `numerator/denominator`, or `numerator` alone when it is whole."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Fraction | None, dialect: Any) -> str | None:
        """Write."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> Fraction | None:
        """Read."""
        return None if value is None else _fraction(value)


class Amount(TypeDecorator[int]):
    """An integer of any size that is nearly always small: what roll-ups are made of.

    PostgreSQL has NUMERIC. In SQLite it is a column without affinity, which keeps what it is given:
    an integer of 64 bits (one byte for a zero), or decimal text where that is too small.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose."""
        kind: TypeEngine[Any] = _Untyped() if dialect.name == "sqlite" else Numeric()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Write."""
        return value if value is None or dialect.name != "sqlite" else plain(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Read."""
        return None if value is None else int(value)


class _Untyped(UserDefinedType[Any]):
    """SQLite's columns without affinity are declared as BLOB."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """How it is declared."""
        return "BLOB"


@lru_cache(maxsize=4096)
def _fraction(value: str) -> Fraction:
    return Fraction(value)
