"""The routes, by subject. Each module has one function that makes its part of the table."""
