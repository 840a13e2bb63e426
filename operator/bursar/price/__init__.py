"""What a node costs an hour, over time: price books, the node's annotation, the catalog, defaults.

Decided from the node's facts, the books and the bundled catalog. Never a silent zero: a price that
no source tells is `Unpriced` with its reason, and one that stands in for another is `assumed`.
"""
