"""The executor's own way to the world: processes of script steps, requests of HTTP steps, what both say."""
