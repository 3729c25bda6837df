"""A job: work that is done at the times of a schedule.

Jobs are declared by the program; what people do with them (run now, pause, resume) and what became of every run stands
in their history. A job's next occurrence is a timer, so it begins once, however many processes there are. The work
itself is done outside of the machine, as an effect; what it found out comes back and is acted upon in one commit, so
that no mail is lost or sent twice.
"""

from statemachines.declaration import NEW, After, Role, State, Transition
from statemachines.job.actions import (
    ask_for_words,
    begin,
    begin_again,
    begin_now,
    forget_next,
    go_on,
    note_failure,
    note_silence,
    note_success,
    pass_over,
    raise_alarm,
    release_hold,
    send_mails,
    send_with_words,
    send_without_words,
    stop_schedule,
    take_declaration,
    take_hold,
)
from statemachines.job.events import (
    Declare,
    Failed,
    Finished,
    GiveUp,
    Hold,
    Occur,
    Pause,
    Release,
    Resume,
    Retire,
    Run,
    SendPlain,
)
from statemachines.job.guards import (
    deletes_records,
    hold_stands,
    is_in_time,
    is_not_paused,
    is_of_this_run,
    is_paused,
    leaves_more_to_do,
    no_hold_stands,
    until_next,
    wants_words,
)
from statemachines.job.model import Job, JobPolicy
from statemachines.machine import Machine
from statemachines.texts import TextWritten

BUSY = ["running", "narrating"]
AT_REST = ["waiting", "paused"]
ANY = [*AT_REST, *BUSY, "retired"]
BUT_RUNNING = [*AT_REST, "narrating", "retired"]
BUT_NARRATING = [*AT_REST, "running", "retired"]

job = Machine(
    Job,
    plural="jobs",
    key=lambda event: event.name,
    policy=JobPolicy(),
    readers=[Role.MERCHANT, Role.APPROVER, Role.ADMIN, Role.SYSTEM],
    states=[
        State("waiting", [After(until_next, Occur)]),
        State("running", [After("patience", GiveUp)]),
        State("narrating", [After("narration_patience", SendPlain)]),
        State("paused"),
        State("retired"),
    ],
    transitions=[
        #          event         from           to           only if                              then
        Transition(Declare,      NEW,           "waiting",   [],                                  [take_declaration]),
        Transition(Declare,      "waiting",     "waiting",   [],                                  [take_declaration]),
        Transition(Declare,      "retired",     "paused",    [is_paused],                         [take_declaration]),
        Transition(Declare,      "retired",     "waiting",   [],                                  [take_declaration]),
        Transition(Declare,      [*BUSY, "paused"], None,    [],                                  [take_declaration]),
        Transition(Retire,       [*AT_REST, "running"], "retired", [],                            [forget_next]),
        Transition(Retire,       "narrating",   "retired",   [],                                  [send_without_words, forget_next]),
        Transition(Occur,        "waiting",     "running",   [no_hold_stands, is_in_time],        [begin]),
        Transition(Occur,        "waiting",     "waiting",   [],                                  [pass_over]),
        Transition(Run,          AT_REST,       "running",   [no_hold_stands],                    [begin_now]),
        Transition(Pause,        "waiting",     "paused",    [],                                  [stop_schedule]),
        Transition(Pause,        BUSY,          None,        [is_not_paused],                     [stop_schedule]),
        Transition(Resume,       "paused",      "waiting",   [],                                  [go_on]),
        Transition(Resume,       BUSY,          None,        [is_paused],                         [go_on]),
        Transition(Hold,         ANY,           None,        [deletes_records, no_hold_stands],   [take_hold]),
        Transition(Release,      ANY,           None,        [hold_stands],                       [release_hold]),
        Transition(Finished,     "running",     "running",   [is_of_this_run, leaves_more_to_do], [raise_alarm, send_mails, begin_again]),
        Transition(Finished,     "running",     "narrating", [is_of_this_run, wants_words],       [note_success, raise_alarm, ask_for_words]),
        Transition(Finished,     "running",     "paused",    [is_of_this_run, is_paused],         [note_success, raise_alarm, send_mails]),
        Transition(Finished,     "running",     "waiting",   [is_of_this_run],                    [note_success, raise_alarm, send_mails]),
        Transition(Finished,     "running",     None,        [],                                  []),
        Transition(Finished,     BUT_RUNNING,   None,        [],                                  []),
        Transition(Failed,       "running",     "paused",    [is_of_this_run, is_paused],         [note_failure]),
        Transition(Failed,       "running",     "waiting",   [is_of_this_run],                    [note_failure]),
        Transition(Failed,       "running",     None,        [],                                  []),
        Transition(Failed,       BUT_RUNNING,   None,        [],                                  []),
        Transition(GiveUp,       "running",     "paused",    [is_paused],                         [note_silence]),
        Transition(GiveUp,       "running",     "waiting",   [],                                  [note_silence]),
        Transition(TextWritten,  "narrating",   "paused",    [is_paused],                         [send_with_words]),
        Transition(TextWritten,  "narrating",   "waiting",   [],                                  [send_with_words]),
        Transition(TextWritten,  BUT_NARRATING, None,        [],                                  []),
        Transition(SendPlain,    "narrating",   "paused",    [is_paused],                         [send_without_words]),
        Transition(SendPlain,    "narrating",   "waiting",   [],                                  [send_without_words]),
    ],
)  # fmt: skip
