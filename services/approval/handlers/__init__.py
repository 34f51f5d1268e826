"""What approval does: answers commands, does what time makes due, writes letters and brings them to the mail server."""
