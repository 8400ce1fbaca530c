"""Matters: which cases are about one thing, wherever they were written, how certain that is, and what comes of it."""
