"""Payments: `machine` is the table; beside it stand what a payment is, its events, news, guards and actions."""
