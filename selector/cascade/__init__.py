"""What a cascade knows: how likely its answer is right, what one more model would add, and what an error may cost."""

from selector.cascade.ledger import Ledger
from selector.cascade.stages import Stages

__all__ = ["Ledger", "Stages"]
