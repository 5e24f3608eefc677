//! What an acknowledgement of this broker means, in one sentence.

use crate::connect::Account;
use crate::subject::{COMMANDS, stream_of};
use crate::{Nats, lock, topology::TopologyError};
use std::fmt;
use std::time::Duration;

/// 2 minutes: how often servers write to the disk by default. What they acknowledged since is lost with the power.
const SYNC_DEFAULT: Duration = Duration::from_secs(120);
/// 2 MB: with less, an event of the largest size that a store takes cannot be fetched through the broker.
const PAYLOAD_BYTES_WANTED: usize = 2 * 1024 * 1024;
/// Servers before 2.11 believe an acknowledgement of any message of a stream that comes under a consumer's name.
const ACKS_BELONG_SINCE: (u32, u32) = (2, 11);

/// When the broker writes what it acknowledges to the disk. A client cannot see it: who configured the broker says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// Nobody said it: the default is assumed.
    #[default]
    Unknown,
    /// From time to time.
    Every(Duration),
    /// Before it acknowledges.
    Always,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Version of the server.
    pub server: String,
    /// How many servers keep the commands.
    pub replicas: u64,
    /// When it writes to the disk.
    pub sync: Sync,
    /// The largest message it takes, in bytes.
    pub payload_bytes_max: usize,
    /// All clients are in one account.
    pub shared: bool,
    /// Replies on the shared subject are believed.
    pub believes_older: bool,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copies = match self.replicas {
            0 | 1 => "one copy".to_owned(),
            more => format!("{more} copies"),
        };
        write!(f, "broker {}, {copies}: an acknowledged message survives a killed server", self.server)?;
        match self.sync {
            Sync::Always => f.write_str(" and a power cut")?,
            Sync::Every(every) => write!(f, "; a power cut may take the last {} s", every.as_secs())?,
            Sync::Unknown => {
                write!(f, "; a power cut may take the last {} s (assumed: the default)", SYNC_DEFAULT.as_secs())?;
            }
        }
        f.write_str("; what a broker loses is published again from the logs")?;
        if self.payload_bytes_max < PAYLOAD_BYTES_WANTED {
            let (is, wanted) = (self.payload_bytes_max, PAYLOAD_BYTES_WANTED);
            write!(f, "; max_payload is {is}, set it to {wanted} so that the largest events can be fetched")?;
        }
        if self.shared {
            f.write_str(
                "; one account for everybody, so a client that may publish anything can write into every stream \
                 (accounts: sagactl config nats-accounts)",
            )?;
        }
        if !self.shared && self.takes_any_ack() {
            f.write_str(
                "; on a server before 2.11 a module can acknowledge away commands that stand in line for another one: \
                 run 2.11 or newer where modules do not trust each other",
            )?;
        }
        if self.believes_older {
            f.write_str(
                "; a reply is believed to come from the module that it names (bus.older_processes = false ends it)",
            )?;
        }
        Ok(())
    }
}

impl Diagnosis {
    /// What cannot be read as a version is taken for a newer one: nothing is said that nobody knows.
    fn takes_any_ack(&self) -> bool {
        let mut parts = self.server.split('.').map(str::parse::<u32>);
        matches!((parts.next(), parts.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < ACKS_BELONG_SINCE)
    }
}

impl Nats {
    /// Looks at the broker. `sync` is what its operator says about it.
    pub async fn doctor(&self, sync: Sync) -> Result<Diagnosis, TopologyError> {
        let info = self.inner.link.client().server_info();
        let options = &self.inner.options;
        let stream = match &options.account {
            Account::Own(module) => stream_of(module),
            Account::Shared | Account::Coordinators => COMMANDS.to_owned(),
        };
        let found = self.inner.api.stream(&stream, None).await?;
        let replicas = found.and_then(|info| info.config["num_replicas"].as_u64()).unwrap_or(0);
        let (shared, believes_older) = (options.account == Account::Shared, options.believes_older());
        let payload_bytes_max = info.max_payload;
        let diagnosis = Diagnosis { server: info.version, replicas, sync, payload_bytes_max, shared, believes_older };
        *lock(&self.inner.kept.diagnosis) = Some(diagnosis.clone());
        Ok(diagnosis)
    }
    /// What [`Nats::doctor`] found, of the server that there is a connection to now: it may be a newer one than then.
    pub(crate) fn diagnosed(&self) -> Option<Diagnosis> {
        let diagnosis = lock(&self.inner.kept.diagnosis).clone()?;
        let info = self.inner.link.client().server_info();
        Some(Diagnosis { server: info.version, payload_bytes_max: info.max_payload, ..diagnosis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagnosis_is_one_line() {
        let server = "2.9.10".to_owned();
        let fast = Diagnosis {
            server,
            replicas: 1,
            sync: Sync::Unknown,
            payload_bytes_max: PAYLOAD_BYTES_WANTED,
            shared: false,
            believes_older: false,
        };
        assert_eq!(
            fast.to_string(),
            "broker 2.9.10, one copy: an acknowledged message survives a killed server; a power cut may take the last \
             120 s (assumed: the default); what a broker loses is published again from the logs; on a server before 2.11 \
             a module can acknowledge away commands that stand in line for another one: run 2.11 or newer where modules \
             do not trust each other"
        );
        for (server, older) in
            [("2.9.10", true), ("2.10.25", true), ("2.11.0", false), ("3.0.0", false), ("odd", false)]
        {
            let of = Diagnosis { server: server.to_owned(), ..fast.clone() };
            assert_eq!(of.to_string().contains("acknowledge away"), older, "{server}");
        }
        let server = "2.11.4".to_owned();
        let strict =
            Diagnosis { server, replicas: 3, sync: Sync::Always, payload_bytes_max: 1_048_576, ..fast.clone() };
        assert_eq!(
            strict.to_string(),
            "broker 2.11.4, 3 copies: an acknowledged message survives a killed server and a power cut; what a broker \
             loses is published again from the logs; max_payload is 1048576, set it to 2097152 so that the largest \
             events can be fetched"
        );
        let shared = Diagnosis { shared: true, believes_older: true, ..fast };
        let said = shared.to_string();
        assert!(said.contains("; one account for everybody") && said.contains("; a reply is believed"), "{said}");
    }
}
