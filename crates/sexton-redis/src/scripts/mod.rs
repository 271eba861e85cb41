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
const LANES: &str = include_str!("lanes.lua");
const HELD: &str = include_str!("held.lua");
const CLAIMABLE: &str = include_str!("claimable.lua");

macro_rules! scripts {
    ($($name:ident = [$($part:expr),*], $file:literal;)*) => {$(
        pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::of(&[PRELUDE, $($part,)* include_str!($file)]));
    )*};
}

scripts! {
    CLAIM = [LANES], "claim.lua";
    RENEW = [LANES, HELD], "renew.lua";
    SETTLE = [LANES, HELD], "settle.lua";
    RELEASE = [LANES, HELD], "release.lua";
    CONSUME = [], "consume.lua";
    ENQUEUE = [], "enqueue.lua";
    REQUEST_CANCEL = [], "request_cancel.lua";
    OPEN = [], "open.lua";
    SWEEP = [LANES, CLAIMABLE], "sweep.lua";
    HEARTBEAT = [LANES, CLAIMABLE], "heartbeat.lua";
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
