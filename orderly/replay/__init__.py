"""Real invoices, run through the service."""
