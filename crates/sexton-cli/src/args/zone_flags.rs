//! The flag that says whose time zone rules count.

use clap::Args;
use sexton::schedule::zone::Source;

/// Whose time zone rules count.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ZoneFlags {
    /// Whose time zone rules count: the machine's (`machine`), those built in (`bundled`), or
    /// whichever have the later version (`newest`). A zone that they lack or that is broken comes
    /// from the other ones, with a warning
    #[arg(long, value_name = "SOURCE", default_value_t = Source::Newest)]
    pub tz_data: Source,
}
