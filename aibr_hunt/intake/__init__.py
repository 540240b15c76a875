"""Bytes become framed records and events here, and every byte range of a file is accounted for."""
