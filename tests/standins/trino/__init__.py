"""Trino itself, fetched by hand: a Maven project and one small Java program."""
