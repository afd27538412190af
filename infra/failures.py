"""How a failure ends: in a Fail state that names the first error and says the cause in words.

A failed state lays `{Error, Cause}` beside the plan, under FAILURE_PATH, so that what the run cost until then
can still be counted.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

FAILURE_PATH = "$.failure"


def branch_failed(scope: Construct, name: str) -> sfn.Fail:
    """Return the end of a failed branch: error and cause as they came, which stops the branches beside it."""
    error, cause = f"{FAILURE_PATH}.Error", f"{FAILURE_PATH}.Cause"
    return sfn.Fail(scope, name, error_path=error, cause_path=cause)


def explain_failure(scope: Construct) -> sfn.Choice:
    """Return the states that turn what a Catch brings into one error and one human cause.

    Input: `{Error, Cause}` alone. A function's cause is JSON with `errorMessage`, a job's is its description
    as JSON, with `FailureReason` where it failed; anything else is told as it is.
    """
    condition = sfn.Condition
    return (
        sfn.Choice(scope, "ExplainFailure")
        .when(condition.string_equals("$.Error", "States.Timeout"), _timed_out(scope))
        .when(condition.string_matches("$.Cause", '{*"TrainingJobName":*'), _explain_job(scope))
        .when(condition.string_matches("$.Cause", '{*"errorMessage"*'), _explain_function(scope))
        .otherwise(sfn.Fail(scope, "Failed", error_path="$.Error", cause_path="$.Cause"))
    )


def _timed_out(scope: Construct) -> sfn.Fail:
    return sfn.Fail(
        scope,
        "TimedOut",
        error="TimedOut",
        cause="A step took longer than its time limit (for a job: max_runtime_minutes and the wait for an "
        "instance). The execution's history names the step; max_runtime_minutes in the input gives it more.",
    )


def _explain_function(scope: Construct) -> sfn.Chain:
    read = sfn.Pass(
        scope,
        "ReadFunctionError",
        parameters={"Error.$": "$.Error", "function.$": "States.StringToJson($.Cause)"},
    )
    return read.next(
        sfn.Fail(scope, "FunctionFailed", error_path="$.Error", cause_path="$.function.errorMessage")
    )


def _explain_job(scope: Construct) -> sfn.Chain:
    read = sfn.Pass(scope, "ReadJobDescription", parameters={"job.$": "States.StringToJson($.Cause)"})
    failed = sfn.Fail(
        scope,
        "JobFailed",
        error="TrainingJobFailed",
        cause_path="States.Format('{}: {}', $.job.TrainingJobName, $.job.FailureReason)",
    )
    stopped = sfn.Fail(
        scope,
        "JobStopped",
        error="TrainingJobStopped",
        cause_path="States.Format('{}: {} ({}); max_runtime_minutes in the input gives a job more time', "
        "$.job.TrainingJobName, $.job.TrainingJobStatus, $.job.SecondaryStatus)",
    )
    return read.next(
        sfn.Choice(scope, "ExplainJob")
        .when(sfn.Condition.is_present("$.job.FailureReason"), failed)
        .otherwise(stopped)
    )
