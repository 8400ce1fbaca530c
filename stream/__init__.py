"""Records, the log that carries them, and the loop that works through it."""
