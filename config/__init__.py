"""The settings: what a process needs to start, and the forms in which brands, rules, sources and people are written."""
