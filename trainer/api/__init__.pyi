from trainer.api.given import given_parts as given_parts
