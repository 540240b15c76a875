"""Servers on the loopback that speak the clouds' own protocols to the clouds' own clients, and run what they are asked on stand-ins."""
