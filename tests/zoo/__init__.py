"""Small nets of many kinds, and what holds for each of them."""
