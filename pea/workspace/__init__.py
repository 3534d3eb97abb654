"""Readers of the user's files: calendars, mail, documents, contacts, places."""
