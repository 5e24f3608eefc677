//! How many connections to PostgreSQL the processes of a configuration may hold together, as far as it is known before a server is
//! asked.

use crate::config::{Config, StoreKind};
use crate::modules::{Replaced, modules};
use saga_postgres::CONNECTIONS_MAX;

/// Sums are told up to 3 processes with all modules: as many as a system that outlives one machine, or a rollout of one, has.
const PROCESSES_TOLD: u32 = 3;

/// What may be held at most, in a sentence; `None` where there is no database server. How many processes there are stands in no
/// configuration, and what the server lets in is not asked: it is said that way.
pub fn connections(config: &Config) -> Option<String> {
    let Ok(StoreKind::Postgres(_)) = config.store_kind() else { return None };
    let modules = u32::try_from(modules(&config.files.folder, Replaced::default()).len()).unwrap_or(u32::MAX);
    let of = |processes: u32| CONNECTIONS_MAX.saturating_mul(modules).saturating_mul(processes);
    let several: Vec<String> = (2..=PROCESSES_TOLD).map(|count| format!("{} for {count}", of(count))).collect();
    Some(format!(
        "database connections: each process holds at most {CONNECTIONS_MAX} for each module that it serves, {CONNECTIONS_MAX} as a \
         coordinator alone, {} with all {modules}; with all of them in every process that is {} processes. max_connections of the \
         server has to be above the sum of all processes and of what others need; how many processes there are does not stand in \
         the configuration, and the server was not asked (sagactl help SG0322)",
        of(1),
        several.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hidden::Address;

    #[test]
    fn the_sum_is_told_for_several_processes_and_only_of_a_database() {
        let mut config = Config::default();
        assert_eq!(connections(&config), None, "files are opened by one process");
        config.store.url = Address::new("postgres://127.0.0.1:5432/aicmo".to_owned());
        let says = connections(&config).unwrap();
        for part in ["at most 7 for each module", "42 with all 6", "84 for 2, 126 for 3", "was not asked"] {
            assert!(says.contains(part), "{part} is not in {says}");
        }
    }
}
