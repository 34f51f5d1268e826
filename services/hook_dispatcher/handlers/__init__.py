"""What the dispatcher does: answers commands, keeps gates going, brings deliveries to their end."""
