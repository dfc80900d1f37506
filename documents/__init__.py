"""The published language: IEC 62325-451 documents as values. Knows nothing of hub or network."""
