//! Connections whose clock can be set: a session's `timestamp`, given anew to each connection before it is lent to a call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_testkit::mariadb::Server;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};

/// What the server's clock says.
#[derive(Debug, Clone, Copy)]
enum Hands {
    StandAt(Timestamp),
    Go { ahead: SignedDuration },
}

/// The clock of a pool's connections.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Mutex<Hands>>);

impl Clock {
    /// The server's own.
    pub(crate) fn going() -> Clock {
        Clock(Arc::new(Mutex::new(Hands::Go {
            ahead: SignedDuration::ZERO,
        })))
    }

    pub(crate) fn stand_at(&self, time: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Hands::StandAt(time);
    }

    pub(crate) fn jump(&self, by: SignedDuration) {
        let mut hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *hands = match *hands {
            Hands::StandAt(time) => Hands::StandAt(time + by),
            Hands::Go { ahead } => Hands::Go { ahead: ahead + by },
        };
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.jump(SignedDuration::try_from(by).unwrap());
    }

    fn hands(&self) -> Hands {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that go by it.
    pub(crate) async fn pool(&self, server: &Server) -> MySqlPool {
        let (of_new, of_old) = (self.clone(), self.clone());
        let pool = MySqlPoolOptions::new()
            .max_connections(4)
            .after_connect(move |connection, _| {
                let hands = of_new.hands();
                Box::pin(set(connection, hands))
            })
            .before_acquire(move |connection, _| {
                let hands = of_old.hands();
                Box::pin(async move {
                    set(connection, hands).await?;
                    Ok(true)
                })
            });
        pool.connect(&server.url()).await.unwrap()
    }
}

async fn set(connection: &mut MySqlConnection, hands: Hands) -> Result<(), sqlx::Error> {
    let set = match hands {
        Hands::StandAt(time) => {
            sqlx::query("SET timestamp = ? / 1000000").bind(time.as_microsecond())
        }
        Hands::Go { ahead } if ahead.is_zero() => sqlx::query("SET timestamp = DEFAULT"),
        // As long as a call takes it stands still, which is not long.
        Hands::Go { ahead } => {
            sqlx::query("SET timestamp = UNIX_TIMESTAMP(SYSDATE(6)) + ? / 1000000")
                .bind(i64::try_from(ahead.as_micros()).unwrap())
        }
    };
    set.execute(connection).await?;
    Ok(())
}
