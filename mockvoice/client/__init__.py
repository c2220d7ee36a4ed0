"""The control object: what tests hold in their hands."""
