"""Collectors: one network a file; cursors, coverage, limits. What comes in leaves as Post on topic `posts`."""
