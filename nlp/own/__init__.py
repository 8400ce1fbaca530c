"""A model of the user's own: imported, or learnt from the team's corrections. What learns needs the extra `own`."""
