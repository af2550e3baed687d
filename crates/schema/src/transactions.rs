//! How many transactions a session has had. A procedure or a DO block that commits begins another one: whether it did,
//! before it failed, says whether anything of it can be in.

use postgres::{Error, Row, Session};

/// The session's place in its own count. Each transaction of a backend gets the next virtual id, `slot/number`, whether
/// it writes or not (manual, "Transactions and Identifiers").
pub(crate) struct Transactions {
    slot: String,
    number: u32,
}

/// What is sent is one transaction of the session, and the answer the id of that one.
const QUESTION: &str = "SELECT virtualtransaction FROM pg_catalog.pg_locks \
     WHERE locktype = 'virtualxid' AND virtualxid = virtualtransaction AND pid = pg_catalog.pg_backend_pid()";

impl Transactions {
    /// Asks, and runs further statements in the same call and transaction.
    pub(crate) async fn count(session: &mut Session, further: &str) -> Result<Option<Self>, Error> {
        let answer = session.answer(&format!("{QUESTION}; {further}")).await?;
        let id: Option<String> = answer.map(|row| row.try_get(0)).transpose()?;
        Ok(id.and_then(|id| {
            let (slot, number) = id.split_once('/')?;
            Some(Self { slot: slot.to_owned(), number: number.parse().ok()? })
        }))
    }

    /// Whether there has been exactly one transaction between this count and a later one, which is the next but one then.
    pub(crate) fn had_one_until(&self, later: &Self) -> bool {
        self.slot == later.slot && later.number == self.number.wrapping_add(2)
    }
}
