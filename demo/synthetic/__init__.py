"""Three clouds that do not exist, fourteen days long: what their logs would hold, and what in them was planted."""
