"""The write side: the only code that starts git or dvc."""
