//! The scripts, each the text of its files, sent to a server once and known to it by its digest.

use std::sync::LazyLock;

/// A script as the server is sent it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) code: String,
    pub(crate) digest: String,
}

impl Script {
    fn of(parts: &[&str]) -> Script {
        let code = parts.concat();
        let digest = redis::Script::new(&code).get_hash().to_owned();
        Script { code, digest }
    }
}

const PRELUDE: &str = include_str!("prelude.lua");
const RECORDS: &str = include_str!("records.lua");
const LANES: &str = include_str!("lanes.lua");
const HELD: &str = include_str!("held.lua");
const WAITING: &str = include_str!("waiting.lua");
const CLAIMABLE: &str = include_str!("claimable.lua");

/// What most batches do without is made only where it is needed: making it takes longer than a
/// claim.
const DECIDE_ON_DEMAND: [&str; 6] = [
    "local function make_decide()\n",
    RECORDS,
    LANES,
    WAITING,
    include_str!("decide.lua"),
    "return decide\nend\n",
];
const SETTLE_ON_DEMAND: [&str; 7] = [
    "local function make_settle()\n",
    RECORDS,
    LANES,
    WAITING,
    HELD,
    include_str!("settle_one.lua"),
    "return settle\nend\n",
];

pub(crate) static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    let plain = include_str!("claim_plain.lua");
    let head = [PRELUDE, include_str!("claim.lua")];
    Script::of(&[&head[..], &DECIDE_ON_DEMAND, &[plain]].concat())
});

pub(crate) static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    let live = include_str!("settle_live.lua");
    let head = [PRELUDE, include_str!("settle.lua")];
    Script::of(&[&head[..], &SETTLE_ON_DEMAND, &[live]].concat())
});

/// Tries what the others call.
pub(crate) static PROBE: LazyLock<Script> =
    LazyLock::new(|| Script::of(&[include_str!("probe.lua")]));

/// Tries what the others call that only read.
pub(crate) static LOOK_PROBE: LazyLock<Script> =
    LazyLock::new(|| Script::of(&[include_str!("look_probe.lua")]));

macro_rules! scripts {
    ($($name:ident = [$($part:expr),*], $file:literal;)*) => {$(
        pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::of(&[PRELUDE, RECORDS, $($part,)* include_str!($file)]));
    )*};
}

scripts! {
    RENEW = [HELD], "renew.lua";
    RELEASE = [LANES, WAITING, HELD], "release.lua";
    CONSUME = [], "consume.lua";
    ENQUEUE = [], "enqueue.lua";
    REQUEST_CANCEL = [], "request_cancel.lua";
    OPEN = [], "open.lua";
    SWEEP = [LANES, WAITING, CLAIMABLE], "sweep.lua";
    HEARTBEAT = [LANES, WAITING, CLAIMABLE], "heartbeat.lua";
    LEAVE = [], "leave.lua";
    INSTANCES = [], "instances.lua";
    DEFINE = [], "define.lua";
    TASKS = [], "tasks.lua";
    CHANGE_PAUSE = [], "change_pause.lua";
    HISTORY_OPEN = [], "history_open.lua";
    HISTORY_OVER = [], "history_over.lua";
    FORGET = [], "forget.lua";
    FORGET_OLD = [], "forget_old.lua";
}
