"""What a mail says, how it looks, and how it leaves: letters, templates, transports."""
