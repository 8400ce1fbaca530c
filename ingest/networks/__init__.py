"""One network, one file: each turns what its network says into drafts (see `ingest.collector`)."""
