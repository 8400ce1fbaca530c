"""The SQL ground that rooms share: tables, sessions, leases, migrations."""
