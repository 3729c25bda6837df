"""What makes it move: the dispatcher, and the runners that feed it."""
