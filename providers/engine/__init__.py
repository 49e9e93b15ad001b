"""The engine host: a stateless service that owns a machine's GPU and runs models in child processes."""
