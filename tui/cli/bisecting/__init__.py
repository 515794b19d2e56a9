"""finetui bisect."""
