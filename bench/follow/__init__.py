"""What a failover costs clients behind each go-between, and what is lost: `./dev bench follow`."""
