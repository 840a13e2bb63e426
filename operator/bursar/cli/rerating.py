"""`bursar ledger rerate --ledger`: re-rates a ledger that no operator writes to."""

from collections.abc import Mapping
from typing import Any

from bursar.errors import BursarError


def rerate_here(
    url: str, cluster: str, query: Mapping[str, str], price_book: str | None, currency: str
) -> dict[str, Any]:
    """Re-rate a ledger by the PriceBooks of a file.

    Raises:
        BursarError: no PriceBooks are named, or they or the ledger can't be read.
    """
    from bursar.domain.time import format_time
    from bursar.domain.world import World
    from bursar.price.rates import Defaults
    from bursar.report import parse_window
    from bursar.runtime import clock
    from bursar.runtime.accounting.nodes import Nodes
    from bursar.runtime.configuring import catalog
    from bursar.runtime.configuring.prices import Prices
    from bursar.runtime.ledger import Ledger
    from bursar.runtime.ledger.admin import rerate

    if price_book is None:
        raise BursarError("name the PriceBooks with --price-book: no operator is asked for them")
    now = clock.now()
    window = parse_window(
        month=query.get("month"), since=query.get("from"), until=query.get("to"), now=now
    )
    frm, to = window.since, min(window.until, now)
    if frm >= to:
        raise BursarError("only the past is re-rated: the window lies after now")
    prices = Prices(_books(price_book), Defaults(currency=currency))
    ledger = Ledger.open(url, cluster)
    try:
        nodes = Nodes(World(), ledger, catalog.load(), prices)
        nodes.restore()
        plan = rerate.plan(ledger.reader, nodes.corrected(frm, to), frm, to)
        dry = query.get("preview") == "true"
        answer = {"currency": currency, "preview": dry, **rerate.told(plan)}
        if dry:
            return answer
        reference = f"rerate-{format_time(now)}"
        for row in plan.rows(now, query.get("reason", ""), reference):
            ledger.submit([row]).result()
        return {**answer, "reference": reference}
    finally:
        ledger.close()


def _books(file: str) -> Any:
    from bursar.api.pricebook import PriceBook
    from bursar.cli.audit.gather import price_books
    from bursar.cli.manifests import documents, read
    from bursar.price.books import merge

    found = (each.manifest for each in documents(read(file)))
    books = price_books([each for each in found if each is not None], file)
    return merge([PriceBook.parse(book) for book in books])
