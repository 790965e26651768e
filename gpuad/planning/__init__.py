"""Plans: a function traced once into a Program, analysed, and run again and again without tracing."""
from gpuad.planning.plan import plan

__all__ = ["plan"]
