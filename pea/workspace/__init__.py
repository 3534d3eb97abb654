"""Readers of the user's files: calendars, mail, documents, contacts, places.

``files`` reads a folder as it changes and says what was read and refused; ``calendars``, ``contacts``, ``places``,
mail and documents stand on it. Nothing here knows of agents or of the runtime, and nothing is imported before it is
needed: what parses calendars or PDFs costs more to load than an agent may take to start.
"""
