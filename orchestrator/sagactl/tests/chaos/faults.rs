//! The faults of a chaos run, and their times.

use crate::world::{COORDINATORS, PROCESSES, World, breathe};

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL to a process, which is started again.
    Kill(usize),
    /// SIGSTOP to a coordinator until the other one has taken over everything, then SIGCONT.
    Pause(usize),
    /// SIGKILL to the broker, which is started again with what it had on its disk.
    BrokerKill,
    /// The broker loses everything.
    BrokerWipe,
    /// The broker is put back to what it had before this round.
    BrokerRollback,
    /// Every connection of every module to the database is cut by its administrator.
    DatabaseCut,
    /// The database is stopped without letting anybody finish, and started again.
    DatabaseStop,
    /// SIGKILL to the database server, which recovers.
    DatabaseKill,
}

impl Fault {
    /// Forty-two kills, spread over all processes, and between them everything else.
    pub(crate) fn schedule() -> Vec<Fault> {
        let others = [
            Fault::Pause(0),
            Fault::BrokerWipe,
            Fault::DatabaseCut,
            Fault::BrokerRollback,
            Fault::DatabaseStop,
            Fault::BrokerKill,
            Fault::Pause(1),
            Fault::DatabaseKill,
            Fault::BrokerWipe,
            Fault::DatabaseCut,
            Fault::BrokerRollback,
            Fault::DatabaseStop,
        ];
        let mut schedule = Vec::new();
        let mut others = others.into_iter();
        for kill in 0..42 {
            schedule.push(Fault::Kill(kill % PROCESSES));
            if kill % 3 == 1 {
                schedule.extend(others.next());
            }
        }
        schedule.extend(others);
        schedule
    }
    pub(crate) async fn strike(self, world: &mut World) {
        match self {
            Fault::Kill(process) => {
                world.processes[process].kill();
                world.processes[process].start();
            }
            Fault::Pause(coordinator) => {
                let other = (coordinator + 1) % COORDINATORS;
                world.processes[coordinator].signal("STOP");
                world.until_groups(other, 16).await;
                for _ in 0..20 {
                    breathe().await;
                }
                world.processes[coordinator].signal("CONT");
            }
            Fault::BrokerKill => world.nats.restart(),
            Fault::BrokerWipe => {
                world.nats.wipe();
                world.nats.restart();
            }
            Fault::BrokerRollback => {
                let copy = world.nats.copy();
                for _ in 0..30 {
                    breathe().await;
                }
                world.nats.kill();
                world.nats.restore(&copy, "");
                world.nats.restart();
            }
            Fault::DatabaseCut => {
                let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'aicmo%'";
                let count: u32 = world.postgres.run("postgres", cut).parse().unwrap();
                assert!(count > 0, "connections were there to be cut");
            }
            Fault::DatabaseStop => {
                world.postgres.stop_at_once();
                world.postgres.restart();
            }
            Fault::DatabaseKill => {
                world.postgres.kill();
                world.postgres.restart();
            }
        }
    }
}
