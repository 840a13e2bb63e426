"""What kind of work a pod or a manifest is, with the evidence that says so.

Decided from the object, its owners and people's labels alone; the same table of rules is compiled
into the admission policy that stamps pods at birth. Never raises on odd input, and never calls an
unclear thing by the name of the likelier class: `unknown` is a verdict.
"""

from bursar.classify.document import DocumentVerdict, classify_document
from bursar.classify.engine import classify
from bursar.classify.rules import RULES
from bursar.classify.tag import LabelMapping, Tag, tagged

Mapping = LabelMapping
"""As `classify.Mapping`: one row of an organisation's labels."""

__all__ = [
    "RULES",
    "DocumentVerdict",
    "LabelMapping",
    "Mapping",
    "Tag",
    "classify",
    "classify_document",
    "tagged",
]
