"""The Trade Permission System hub: Static Information, Dynamic Information Broker and Fairness Filter."""
