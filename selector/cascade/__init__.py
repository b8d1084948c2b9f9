"""What a cascade knows: how likely its answer is right, what one more model would add, and what accuracy may cost."""
