"""One to many: capabilities that stream, broadcasts to many agents, topics with bounded subscriptions."""
