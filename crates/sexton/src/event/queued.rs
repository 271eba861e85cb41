//! How much of what handlers say may wait for subscribers that read slowly.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::Event;

/// Bytes of output that wait for the slowest subscriber.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The events with an output that some subscriber has not received.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// The oldest first, each with the length of its output.
    events: VecDeque<(Weak<Event>, usize)>,
    bytes: usize,
}

impl Queued {
    /// An event to be sent: without its output, and with a word about that, if too much waits.
    pub(super) fn admitted(&mut self, mut event: Event) -> Arc<Event> {
        self.forget_received();
        let Event::Finished {
            output: Some(output),
            ..
        } = &mut event
        else {
            return Arc::new(event);
        };
        let bytes = output.len();
        if self.bytes + bytes > OUTPUT_BYTES_MAX {
            *output = format!(
                "[{bytes} bytes of output are left out: who reads the events is too far behind; the history has them]"
            );
            return Arc::new(event);
        }
        let event = Arc::new(event);
        self.events.push_back((Arc::downgrade(&event), bytes));
        self.bytes += bytes;
        event
    }

    /// A subscriber receives in order, so what is behind the first that waits nearly always waits,
    /// too.
    fn forget_received(&mut self) {
        while let Some((event, bytes)) = self.events.front()
            && event.strong_count() == 0
        {
            self.bytes -= bytes;
            self.events.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sexton_core::lock::{Execution, Outcome};
    use sexton_core::name::TaskName;
    use sexton_core::tick::{ConcurrencyIndex, Tick};

    use super::super::bus::EventBus;
    use super::*;

    const OUTPUT_BYTES: usize = 64 * 1024;
    const FIT: usize = OUTPUT_BYTES_MAX / OUTPUT_BYTES;

    fn finished() -> Event {
        Event::Finished {
            execution: Execution {
                task: TaskName::new("t").unwrap(),
                index: ConcurrencyIndex::ONE,
                tick: Tick::MIN,
            },
            outcome: Outcome::Succeeded,
            duration: Duration::ZERO,
            error: None,
            output: Some("x".repeat(OUTPUT_BYTES)),
        }
    }

    fn output_of(event: &Event) -> &str {
        let Event::Finished { output, .. } = event else {
            panic!("{event:?}");
        };
        output.as_deref().unwrap()
    }

    #[test]
    fn who_reads_slowly_is_told_of_every_event_and_makes_no_more_wait_than_this() {
        let bus = EventBus::new();
        let mut slow = bus.subscribe();
        for _ in 0..FIT + 3 {
            bus.emit(finished());
        }
        let mut whole = 0;
        for _ in 0..FIT + 3 {
            let event = slow.try_recv().unwrap();
            match output_of(&event).len() {
                OUTPUT_BYTES => whole += 1,
                _ => assert!(output_of(&event).starts_with("[65536 bytes of output are left out")),
            }
        }
        assert_eq!(whole, FIT);
        // It has caught up.
        bus.emit(finished());
        let event = slow.try_recv().unwrap();
        assert_eq!(output_of(&event).len(), OUTPUT_BYTES);
    }
}
