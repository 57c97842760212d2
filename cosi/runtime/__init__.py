"""What runs controllers: adapters, queues, informers, and the runtime itself."""
