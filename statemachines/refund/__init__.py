"""Refunds: `machine` is the table; beside it stand what a refund is, its events, news, guards and actions."""
