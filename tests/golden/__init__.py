"""Golden logs: what each version wrote, which every later version must replay to the same rows and documents.

A folder for each version. `make golden` writes that of the present one; a folder that was released is never changed.
"""
