"""What the reporting currency is worth in another one, over time, by the books' dated rates.

A sum is converted by the rate of the moment at which it is spent, not by that of the period's end:
so what was spent stays what it was, as accounts translate transactions (IAS 21.21, the rate at the
date of the transaction). A time for which no book has a rate is told as such, never bridged.
"""

from dataclasses import replace

from bursar.domain.budget import Worth
from bursar.domain.time import Ms
from bursar.price.books import Books


def worths(books: Books, currency: str, reporting: str, since: Ms) -> tuple[Worth, ...]:
    """The pieces of time, from `since` on, in which the rate between two currencies is constant.

    Args:
        books: all price books, merged.
        currency: of the sums that are wanted, ISO 4217.
        reporting: the reporting currency.
        since: first moment (ms).

    Returns:
        In order and without a gap, the last without an end; empty where the currencies are one.
    """
    if currency == reporting:
        return ()
    bounds = {
        bound
        for each in books.exchanges
        if each.currency == currency
        for bound in (each.since, each.until)
        if bound is not None and bound > since
    }
    pieces: list[Worth] = []
    for start in sorted({since, *bounds}):
        worth = books.worth(currency, start)
        rate = None if worth is None else 1 / worth
        if pieces and pieces[-1].rate == rate:
            continue
        if pieces:
            last = pieces.pop()
            pieces.append(replace(last, until=start))
        pieces.append(Worth(currency=currency, since=start, until=None, rate=rate))
    return tuple(pieces)
