"""The command line of the gateways."""
