"""What accountants do with a ledger: verify it, re-rate its past, close months, back it up.

Reading parts work on any reader; writing parts go through the one writer, as every other row does.
"""
