"""How the shipped models are made and measured. Needs `../shared` (the data) and the extra `train`."""
