"""What analysis and scheduling made of a planned function."""
from __future__ import annotations
class Report: pass
