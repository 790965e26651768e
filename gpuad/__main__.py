"""``python -m gpuad``."""
import sys

from gpuad.cli import main

sys.exit(main())
