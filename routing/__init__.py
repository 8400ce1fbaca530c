"""Rules, risk, decisions, cases, alerts: which team acts, and why."""
