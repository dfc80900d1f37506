"""The participants' backends: REST with long polls on one side, documents over MADES on the other."""
