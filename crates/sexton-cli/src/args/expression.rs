//! The flags of `next` and `explain`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sexton_core::schedule::{Fold, Gap};

use super::ZoneFlags;

fn gap() -> impl TypedValueParser<Value = Gap> {
    let choices = Gap::ALL.map(|gap| {
        PossibleValue::new(gap.as_str()).help(match gap {
            Gap::Run => "They are due together, right after the gap",
            Gap::Skip => "They are not due",
        })
    });
    PossibleValuesParser::new(choices).try_map(|word| word.parse::<Gap>())
}

fn fold() -> impl TypedValueParser<Value = Fold> {
    let choices = Fold::ALL.map(|fold| {
        PossibleValue::new(fold.as_str()).help(match fold {
            Fold::First => "They are due the first time",
            Fold::Last => "They are due the second time",
            Fold::Both => "They are due both times",
        })
    });
    PossibleValuesParser::new(choices).try_map(|word| word.parse::<Fold>())
}

/// An expression, what it is read as, and which of its ticks are shown.
#[derive(Debug, Args)]
pub struct ExpressionArguments {
    /// The expression: a cron expression, unless a flag says otherwise
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expression: String,
    /// More expressions: due whenever any of them is
    #[arg(value_name = "EXPR")]
    pub more: Vec<String>,
    /// Read it as a krontab string (seconds first, days and months from 0)
    #[arg(long, conflicts_with = "every")]
    pub kron: bool,
    /// Read it as a duration: due at its multiples since the Unix epoch
    #[arg(long)]
    pub every: bool,
    /// The IANA time zone that it is read in [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Not on this date, or on any date of this range, the last included; may be given more than
    /// once
    #[arg(long, value_name = "DATE|DATE..DATE")]
    pub except: Vec<String>,
    /// Not on the dates of this file: a date or a range a line, `#` comments
    #[arg(long, value_name = "FILE")]
    pub except_file: Vec<PathBuf>,
    /// The task that it is for, by whose name `H` and `~` are picked
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// The namespace of that task
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        requires = "task"
    )]
    pub namespace: String,
    /// What becomes of times that clocks skip [default: as the expression is written]
    #[arg(long, value_name = "GAP", conflicts_with = "every", value_parser = gap())]
    pub gap: Option<Gap>,
    /// What becomes of times that clocks show twice [default: as the expression is written]
    #[arg(long, value_name = "FOLD", conflicts_with = "every", value_parser = fold())]
    pub fold: Option<Fold>,
    #[command(flatten)]
    /// Whose time zone rules count.
    pub zones: ZoneFlags,
    /// Show ticks strictly after this instant [default: now]
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// How many ticks to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// As JSON, with instants as RFC 3339 in UTC, to the millisecond
    #[arg(long)]
    pub json: bool,
}
