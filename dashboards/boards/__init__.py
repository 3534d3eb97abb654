"""One module for each dashboard; each is a function that says its panels."""
