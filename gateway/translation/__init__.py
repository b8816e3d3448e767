"""From a provider's webhook to Lumail events: verification, the adapter contract, the registry."""
