"""The one query language: what a person types, what a rule's `when` says, what an index answers."""
