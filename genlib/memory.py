"""Large tables are made a part at a time."""

ENTRIES = 2**22  #: of a table, held at once: 16 MB in float32


def slices(n: int, row_size: int, entries: int | None = None) -> list[slice]:
    """Slices of ``n`` rows: parts of at most ``entries``, or `ENTRIES`, and at least one row."""
    rows = max(1, (entries or ENTRIES) // max(1, row_size))
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]
