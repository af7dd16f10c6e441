"""How a provider is asked: one file each."""
