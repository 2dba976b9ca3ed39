"""What several commands share: opens and writes the chain's folders; knows params, never click."""
