"""What a pod asks for, what a node has, and what share of a device the one holds of the other.

Decided from the objects' own fields and the bundled device tables. Never a guess: what cannot be
told is `Unknown` with its reason, and no odd object raises.
"""
