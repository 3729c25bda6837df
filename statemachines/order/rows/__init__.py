"""The table of orders, theme by theme: each row says when an event may happen, what it leads to and what follows."""
