"""Who is behind the handles."""
