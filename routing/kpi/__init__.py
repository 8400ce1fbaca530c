"""Key figures of the teams' work, kept as it happens."""
