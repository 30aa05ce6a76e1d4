"""System checks: every rule about the settings and the project, told before it costs a payment."""
