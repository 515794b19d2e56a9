"""Makes the teacher of a distillation and lets it answer every training prompt, once for all students."""

from pipeline.contract.main import run_stage

if __name__ == "__main__":
    # Above the libraries: wrong params are told before those are loaded.
    run_stage("pipeline.stages.teacher")

import shutil

from pipeline.contract import paths
from pipeline.contract.files import write_json
from pipeline.contract.handing_on import no_model
from pipeline.contract.params import Params
from pipeline.contract.recorder import StageRecorder


def run(params: Params) -> None:
    """Write data/models/teacher, data/teacher and the metrics."""
    with StageRecorder("teacher", seed=params.teacher.seed) as recorder:
        for folder in (paths.model_dir("teacher"), paths.TEACHER_DIR):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        if params.teacher.source == "none":
            no_model("teacher").write(paths.model_dir("teacher"))
            write_json(paths.TEACHER_DIR / "teacher.json", {"source": "none"})
            recorder.finish({"teacher/num_parameters": 0}, {})
        else:
            _teach(params, recorder)


def _teach(params: Params, recorder: StageRecorder) -> None:
    """The libraries are loaded here: without a teacher the stage takes no time."""
    from pipeline.data.shell import corpus_documents
    from pipeline.models.loading import load_model
    from pipeline.models.quiet import quiet_libraries
    from pipeline.models.seeding import make_deterministic
    from pipeline.training.teacher import make_teacher, origin_of
    from pipeline.training.teacher_answers import answer_prompts, num_batches

    quiet_libraries()
    with make_teacher(params, corpus_documents, recorder, num_batches(params.teacher)) as made:
        make_deterministic(params.teacher.seed, made.manifest.num_parameters)
        metrics, resources = answer_prompts(load_model(made.manifest, origin_of(params)), params.teacher, recorder)
        size = {"teacher/num_parameters": made.manifest.num_parameters}
        recorder.finish(made.metrics | metrics | size, made.resources | resources)
