"""What PEA remembers on disk: spans to search, rates and series to draw, and what other programs send by OTLP."""
