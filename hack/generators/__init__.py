"""One module a kind of generated file; each function returns paths and their contents."""
