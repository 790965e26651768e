"""Random programs, and their gradients against differences and against JAX."""
