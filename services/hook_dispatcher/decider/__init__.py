"""The rules of gates, endpoints and deliveries. Pure: no clock, no chance, no reading."""
