"""How each kind of event changes a plan, by subject. Only `contracts.evolve` calls these."""
