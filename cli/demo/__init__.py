"""What a demo and the proofs need: an application to deploy, and a load to deploy it under."""
