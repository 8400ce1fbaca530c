"""Ways to people and programs beside mail: what is told by them, and how it leaves."""
