"""Cloud engines: one protocol, and what turns a row of a table back into the record that the cloud delivered."""
