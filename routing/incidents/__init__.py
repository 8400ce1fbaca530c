"""Incidents: what of the counts per minute is unusual, since when, why, and whom to tell."""
