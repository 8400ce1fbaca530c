"""Every mention, searchable: a projection of SQL that can be rebuilt."""
