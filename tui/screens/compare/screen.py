from tui.screens.base import WorkerScreen
class CompareScreen(WorkerScreen[None]):
    scope = "compare"
