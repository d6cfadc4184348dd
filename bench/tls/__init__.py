"""What a secret hop costs: two go-betweens of one kind, TLS between them, a service behind."""
