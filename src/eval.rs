//! Evaluation: suites of cases with what is expected, run against the program itself.

mod asked;
mod case;
mod cassette;
mod compare;
mod draw;
mod figures;
mod gates;
mod grounded;
mod interchange;
mod judge;
mod judged;
mod manners;
mod matcher;
mod measures;
mod models;
mod observed;
mod ranking;
mod rates;
mod report;
mod results;
mod run;
mod score;
mod scripted;
mod simulated;
mod stable;
mod stored;
mod suite;
mod table;
mod talks;
mod variant;
mod vectors;

pub use asked::LastAsked;
pub use case::{
    Case, ConversationCase, Ending, Entitled, Expect, Function, IntentCase, Kind, LanguageCase,
    Relevant, RetrievalCase, SafetyCase, ScriptedCall, SentimentCase, SimulationCase, Tap,
    ToolCallCase, Turn, Words,
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
pub use gates::{Gate, GateResult};
pub use interchange::{
    Beside, ImportFault, Imported, Ranked, Refusal, Source, TrecFault, TrecFigures, TrecQrels,
    TrecRun, Wishes, bfcl, line, mapping, openai, promptfoo, rasa, tau,
};
pub use matcher::{ExpectedCall, Hits, Matcher};
pub use models::{
    Budget, Metered, ModelSpec, Pace, Paced, Paces, Price, Spent, Taping, Wired, Wiring,
};
pub use observed::{Observed, Talked, TurnSeen};
pub use rates::Measure;
pub use report::{events, html, junit, markdown};
pub use results::{About, CaseResult, KindReport, Results, ResultsFault, Share};
pub use run::{Runner, Selection, absent, case_run, recording};
pub use scripted::{OBEDIENT, Obedient};
pub use stable::stabilise;
pub use stored::{Drafted, draft};
pub use suite::{Suite, SuiteFault, SuiteFaults, schema};
pub use table::lines;
pub use variant::{Variant, lay_over};
pub use vectors::remembering;

/// A chat model, whichever it is.
pub type Model = std::sync::Arc<dyn crate::ports::ChatModel>;
