//! Evaluation: suites of cases with what is expected, run against the program itself.

mod case;
mod cassette;
mod compare;
mod figures;
mod judge;
mod manners;
mod measures;
mod models;
mod report;
mod run;
mod suite;
mod talks;
mod variant;

pub use case::{
    Case, ConversationCase, Ending, Expect, IntentCase, Kind, LanguageCase, RetrievalCase,
    SentimentCase, Tap, Turn, Words,
};
pub use cassette::{
    CaseBook, CaseRun, Cassette, CassetteFault, MissingRecording, Recorder, Replayer, Scrubber,
};
pub use compare::{
    Comparison, ComparisonVerdict, Flips, Rate, RecordedRun, RunFault, Slice, compare,
};
pub use figures::{
    Area, Bench, Drawing, Figure, FigureReport, Section, Table, Target, Unit, Verdict, measure,
    served,
};
pub use models::{
    Budget, Metered, ModelSpec, Pace, Paced, Paces, Price, Spent, Taping, Wired, Wiring,
};
pub use report::{CaseResult, KindReport, Report, Share};
pub use run::run;
pub use suite::{Suite, SuiteFault};
pub use variant::lay_over;
