"""Who asks: the HTTP interface."""
