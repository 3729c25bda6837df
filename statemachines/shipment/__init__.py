"""Shipments: `machine` is the table; beside it stand what a shipment is, its events, news, guards and actions."""
