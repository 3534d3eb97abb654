"""One module for each dashboard, and one for sections of the runtime's; each is functions that say their panels."""
