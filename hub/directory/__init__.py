"""The Component Directory of the platform (MADES): who takes part, with which certificates, by which paths (R1)."""
