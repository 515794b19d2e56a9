"""Settings of all tests."""

from hypothesis import settings

# A test that is slow because the machine is busy has found nothing.
settings.register_profile("finetui", deadline=None)
settings.load_profile("finetui")
