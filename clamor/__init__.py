"""The command line and the wiring: which stages run, in which processes."""
