"""One file an explorer, named after it; each defines one subclass of ``Scene``."""
