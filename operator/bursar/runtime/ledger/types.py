"""Types of the ledger's columns: exact numbers of any size, on SQLite and on PostgreSQL.

Neither a share that a tenant's annotation of thirty digits gives nor the money of one open
node-year in a small currency fits 64 bits, and SQLite turns what does not fit into floats without a
word.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Dialect, Numeric, Text, TypeDecorator
from sqlalchemy.types import TypeEngine, UserDefinedType

_INT64 = 1 << 63
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CLASS_CODES = {
    "training": "t",
    "inference": "i",
    "interactive": "a",
    "other": "o",
    "unknown": "u",
}
_CLASSES = {code: name for name, code in CLASS_CODES.items()}


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


class Uid(TypeDecorator[str]):
    """A uid of an object: in SQLite the 16 bytes of one that is a UUID as Kubernetes writes them.

    Each pod's is in two places: as text they would take an eighth of the whole ledger.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Write."""
        if value is None or dialect.name != "sqlite" or not _UUID.fullmatch(value):
            return value
        return bytes.fromhex(value.replace("-", ""))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Read."""
        return str(UUID(bytes=value)) if isinstance(value, bytes) else value


class Digest(TypeDecorator[str]):
    """32 hexadecimal digits, in SQLite as bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Write."""
        return value if value is None or dialect.name != "sqlite" else bytes.fromhex(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Read."""
        return value.hex() if isinstance(value, bytes) else value


class ClassCode(TypeDecorator[str]):
    """A workload class by a letter: there are as many as memberships."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write."""
        return None if value is None else CLASS_CODES[value]

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Read."""
        return None if value is None else _CLASSES[value]


class _Untyped(UserDefinedType[Any]):
    """SQLite's columns without affinity are declared as BLOB."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """How it is declared."""
        return "BLOB"


@lru_cache(maxsize=4096)
def _fraction(value: str) -> Fraction:
    return Fraction(value)
