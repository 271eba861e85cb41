//! A port in memory, for the engine's tests: rows with versions, and faults in its calls.
//!
//! It loads exactly what a read set names, so that the rules decide wrongly where a read set names
//! too little. It is not the in-memory manager, which knows no port and is the oracle.

mod connection;
mod error;
mod faults;
mod fleet;
mod history;
mod load;
mod rows;
mod swap;
mod tasks;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::clock::{Clock, ManualClock};
use sexton_core::lock::LockKey;
use sexton_core::lock::engine::{Connect, Engine, Limits, PortManager, Unavailable};
use sexton_core::name::Namespace;

pub use self::connection::{Connection, Counts};
pub use self::error::MemoryError;
use self::faults::Faults;
pub use self::faults::{Call, Fault, Odds};
use self::rows::Rows;
use crate::virtual_clock::VirtualClock;

/// The store that ports share, as clients share a server: every namespace's rows, and a clock of
/// its own.
#[derive(Debug)]
pub struct MemoryStore {
    /// The store's clock, which tests set.
    pub clock: ManualClock,
    namespaces: Mutex<HashMap<Namespace, Rows>>,
    /// Connections of an earlier life are broken.
    life: AtomicU64,
    connection_next: AtomicU64,
    is_read_only: AtomicBool,
}

impl MemoryStore {
    /// An empty store on this clock.
    pub fn new(clock: ManualClock) -> Arc<MemoryStore> {
        Arc::new(MemoryStore {
            clock,
            namespaces: Mutex::default(),
            life: AtomicU64::new(0),
            connection_next: AtomicU64::new(0),
            is_read_only: AtomicBool::new(false),
        })
    }

    /// Forgets every connection, as a server does that is started again, and what their
    /// transactions have not committed.
    pub fn forget_connections(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
        for rows in self.lock().values_mut() {
            rows.free_all();
        }
    }

    /// Makes the store refuse writes, or take them again.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    /// Raises the version of a key in the default namespace, as another client does that writes to
    /// it what was there.
    pub fn touch(&self, key: LockKey) {
        let mut namespaces = self.lock();
        namespaces
            .entry(Namespace::default())
            .or_default()
            .touch(key);
    }

    fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Namespace, Rows>> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a store keeps what a port loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One row for each record, as in a table: a record is found whether or not it is over, and
    /// candidates come by execution.
    Table,
    /// One document for each key, and another place for what is over: a record that is over is
    /// found only where a read set looks back, and candidates come by key.
    Documents,
}

/// A duty of a port that it may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Omission {
    /// A swap makes no row for a key without a change.
    EmptyRows,
    /// A swap checks no versions.
    Versions,
    /// A swap checks no versions of the other keys of a task of which it takes reservations.
    WholeTasks,
    /// A pause raises no versions.
    RaisedVersions,
}

/// A client of a [`MemoryStore`], for one namespace.
pub struct MemoryPort {
    store: Arc<MemoryStore>,
    namespace: Namespace,
    limits: Limits,
    layout: Layout,
    refuses_nul: bool,
    omission: Option<Omission>,
    clock: VirtualClock,
    faults: Mutex<Faults>,
    calls: Mutex<Vec<Call>>,
    /// The keys of each load and of each swap.
    loaded: Mutex<Vec<BTreeSet<LockKey>>>,
    swapped: Mutex<Vec<BTreeSet<LockKey>>>,
    idle: Mutex<Vec<Connection>>,
    counts: Mutex<Counts>,
}

impl MemoryPort {
    /// A client that waits by `clock`. Its calls may take ten seconds.
    pub fn new(store: &Arc<MemoryStore>, clock: &VirtualClock) -> MemoryPort {
        MemoryPort {
            store: Arc::clone(store),
            namespace: Namespace::default(),
            limits: Limits::new(Duration::from_secs(10)),
            layout: Layout::Table,
            refuses_nul: false,
            omission: None,
            clock: clock.clone(),
            faults: Mutex::new(Faults::none()),
            calls: Mutex::default(),
            loaded: Mutex::default(),
            swapped: Mutex::default(),
            idle: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// The same client, of another namespace.
    pub fn in_namespace(self, namespace: Namespace) -> MemoryPort {
        MemoryPort { namespace, ..self }
    }

    /// Keeps its rows so.
    pub fn layout(self, layout: Layout) -> MemoryPort {
        MemoryPort { layout, ..self }
    }

    /// Changes what the store bears.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> MemoryPort {
        change(&mut self.limits);
        self
    }

    /// Holds no text with a NUL in it, as PostgreSQL does.
    pub fn refusing_nul(self) -> MemoryPort {
        MemoryPort {
            refuses_nul: true,
            ..self
        }
    }

    /// Leaves out a duty of a port, for tests to notice.
    pub fn omitting(self, omission: Omission) -> MemoryPort {
        MemoryPort {
            omission: Some(omission),
            ..self
        }
    }

    /// Draws faults from a seed.
    pub fn faulty(self, seed: u64, odds: Odds) -> MemoryPort {
        MemoryPort {
            faults: Mutex::new(Faults::seeded(seed, odds)),
            ..self
        }
    }

    /// The manager of this port.
    pub fn manager(self, seed: u64) -> MemoryPortManager {
        let clock = Arc::new(self.clock.clone());
        MemoryPortManager {
            engine: Engine::new(self, clock).seeded(seed),
        }
    }

    /// Adds a fault to the script: what goes wrong in the next call of this kind that has none.
    pub fn will(&self, call: Call, fault: Fault) {
        lock(&self.faults).push(call, fault);
    }

    /// How many faults of the script no call has met yet.
    pub fn faults_left(&self) -> usize {
        lock(&self.faults).left()
    }

    /// The calls since this was last asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.calls))
    }

    /// The keys of each load since this was last asked.
    pub fn take_loaded(&self) -> Vec<BTreeSet<LockKey>> {
        std::mem::take(&mut lock(&self.loaded))
    }

    /// The keys of each swap since this was last asked, whether or not it went well.
    pub fn take_swapped(&self) -> Vec<BTreeSet<LockKey>> {
        std::mem::take(&mut lock(&self.swapped))
    }

    /// What became of the connections so far.
    pub fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    /// Runs one call of the port: meets its fault, and takes effect on the rows that the connection
    /// sees, at the store's now.
    async fn step<T: Send>(
        &self,
        connection: &mut Connection,
        call: Call,
        act: impl FnOnce(&mut Rows, Timestamp) -> Result<T, MemoryError> + Send,
    ) -> Result<T, MemoryError> {
        lock(&self.calls).push(call);
        connection.check(self.store.life())?;
        let (fault, yields) = {
            let mut faults = lock(&self.faults);
            (faults.next(call), faults.yields())
        };
        for _ in 0..yields {
            yield_once().await;
        }
        let mut lost = None;
        let mut stalls = false;
        match fault {
            Fault::Nothing => {}
            Fault::Fails(error) => {
                connection.failed(&error);
                return Err(error);
            }
            Fault::LosesAnswer(error) => lost = Some(error),
            Fault::Takes(duration) => {
                let until = self.clock.monotonic().saturating_add(duration);
                self.clock.sleep_until(until).await;
            }
            Fault::Stalls => std::future::pending().await,
            Fault::StallsAfterwards => stalls = true,
            Fault::Meanwhile(act) => act(),
        }
        connection.check(self.store.life())?;
        let done = {
            let mut namespaces = self.store.lock();
            let rows = namespaces.entry(self.namespace.clone()).or_default();
            act(rows, self.store.now())
        };
        if stalls {
            std::future::pending::<()>().await;
        }
        match (done, lost) {
            (Ok(_), Some(error)) | (Err(error), _) => {
                connection.failed(&error);
                Err(error)
            }
            (Ok(value), None) => Ok(value),
        }
    }

    /// A store that only reads answers nothing that decides.
    fn check_writable(&self) -> Result<(), MemoryError> {
        match self.store.is_read_only.load(Ordering::SeqCst) {
            true => Err(Unavailable::ReadOnly.into()),
            false => Ok(()),
        }
    }
}

/// A connection that a call has taken. Dropped, it is closed, and its transaction rolled back.
#[derive(Debug)]
pub struct Checkout<'p> {
    port: &'p MemoryPort,
    connection: Option<Connection>,
}

impl Checkout<'_> {
    pub(super) fn new(port: &MemoryPort, connection: Connection) -> Checkout<'_> {
        Checkout {
            port,
            connection: Some(connection),
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it was not given back")
    }

    pub(super) fn take(&mut self) -> Option<Connection> {
        self.connection.take()
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            lock(&self.port.counts).closed += 1;
            if let Some(rows) = self.port.store.lock().get_mut(&self.port.namespace) {
                rows.free(connection.id);
            }
        }
    }
}

impl MemoryPort {
    /// Begins a transaction, as a handler does that writes in it.
    pub fn begin(connection: &mut Connection) {
        connection.transaction = Some(Vec::new());
    }

    /// Commits the transaction.
    pub fn commit(&self, connection: &mut Connection) {
        let writes = connection.transaction.take().unwrap_or_default();
        let mut namespaces = self.store.lock();
        let rows = namespaces.entry(self.namespace.clone()).or_default();
        writes.into_iter().for_each(|write| rows.write(write));
        rows.free(connection.id);
    }
}

/// Lets others run once.
async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(move |context| {
        if has_yielded {
            return std::task::Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for MemoryPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPort")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Connect for MemoryPort {
    type Connection = Connection;
    type Checkout<'p> = Checkout<'p>;
    type Error = MemoryError;

    fn location(&self) -> &str {
        "memory-port:"
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.refuses_nul && text.contains('\0') {
            true => text.replace('\0', "\u{2400}").into(),
            false => text.into(),
        }
    }

    async fn check_out(&self, _: Duration) -> Result<Checkout<'_>, MemoryError> {
        let idle = lock(&self.idle).pop();
        let connection = idle.unwrap_or_else(|| {
            lock(&self.counts).opened += 1;
            let id = self.store.connection_next.fetch_add(1, Ordering::SeqCst);
            Connection::open(id, self.store.life())
        });
        let mut checkout = Checkout::new(self, connection);
        // A pool finds out only by a call that a connection of its is dead.
        let mut fresh = Connection::open(0, self.store.life());
        match self.step(&mut fresh, Call::CheckOut, |_, _| Ok(())).await {
            Ok(()) => Ok(checkout),
            Err(error) => {
                if let Some(connection) = checkout.take() {
                    lock(&self.idle).push(connection);
                }
                Err(error)
            }
        }
    }

    fn connection<'c>(checkout: &'c mut Checkout<'_>) -> &'c mut Connection {
        checkout.connection()
    }

    async fn give_back<'p>(&'p self, mut checkout: Checkout<'p>) {
        if let Some(connection) = checkout.take() {
            connection.assert_sound();
            lock(&self.counts).given_back += 1;
            lock(&self.idle).push(connection);
        }
    }

    async fn undo(&self, connection: &mut Connection) -> Result<(), MemoryError> {
        connection.undo();
        self.step(connection, Call::Undo, |_, _| Ok(())).await
    }

    fn suspect_connections(&self) {
        lock(&self.counts).suspected += 1;
    }
}

/// The lock manager over a [`MemoryPort`].
#[derive(Debug)]
pub struct MemoryPortManager {
    engine: Engine<MemoryPort>,
}

impl MemoryPortManager {
    /// The port.
    pub fn port(&self) -> &MemoryPort {
        self.engine.port()
    }
}

impl PortManager for MemoryPortManager {
    type Port = MemoryPort;

    fn engine(&self) -> &Engine<MemoryPort> {
        &self.engine
    }
}
