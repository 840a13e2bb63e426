"""The nouns of the path: frozen values of the standard library only, shared by every step."""
