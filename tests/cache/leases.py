"""Lets a test wait until a process has found the lease of a computation taken by another."""


def note_taken(shared, taken):
    """Set the event ``taken`` whenever this L3 answers that another process computes the value."""
    read = shared.read

    async def noted(*arguments, **named):
        reading = await read(*arguments, **named)
        if reading.busy:
            taken.set()
        return reading

    shared.read = noted
