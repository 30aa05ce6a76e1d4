"""The parts of the contract of backends: charges, look-ups, refunds, notifications, and what may go wrong on the way."""
