//! Evaluation: suites of cases with what is expected, run against the program itself.

mod case;
mod compare;
mod draw;
mod figures;
mod gates;
mod grounded;
mod judge;
mod manners;
mod matcher;
mod measures;
mod observed;
mod ranking;
mod rates;
mod report;
mod results;
mod run;
mod score;
mod scripted;
mod simulated;
mod suite;
mod table;
mod talks;
mod variant;

pub use case::{
    Case, ConversationCase, Ending, Entitled, Expect, Function, IntentCase, Kind, LanguageCase,
    Relevant, RetrievalCase, SafetyCase, ScriptedCall, SentimentCase, SimulationCase, Tap,
    ToolCallCase, Turn, Words,
};
pub use compare::{
    Comparison, ComparisonVerdict, Flips, Rate, RecordedRun, RunFault, Slice, compare,
};
pub use figures::{
    Area, Bench, Drawing, Figure, FigureReport, Section, Table, Target, Unit, Verdict, measure,
    served,
};
pub use gates::{Gate, GateResult};
pub use matcher::{ExpectedCall, Hits, Matcher};
pub use observed::{Observed, Talked, TurnSeen};
pub use rates::Measure;
pub use report::{events, html, junit, markdown};
pub use results::{About, CaseResult, KindReport, Results, ResultsFault, Share};
pub use run::{Runner, Selection, session};
pub use scripted::{OBEDIENT, Obedient};
pub use suite::{Suite, SuiteFault, SuiteFaults, schema};
pub use table::lines;
pub use variant::lay_over;
