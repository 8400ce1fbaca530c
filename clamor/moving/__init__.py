"""A home moved to other engines while it runs: log, mentions, cases and all else that SQL holds."""
