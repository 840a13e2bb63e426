"""What the read API answers, and who may ask."""
