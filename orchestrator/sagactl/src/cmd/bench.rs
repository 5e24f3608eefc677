//! `sagactl bench`: numbers that can be measured again.

use crate::args::{Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::json;
use crate::print::out::Out;
use crate::print::style::Style;
use crate::print::table::{Cell, Column, Table};
use clap::{Args, Subcommand};
use saga_admin::wire::API_VERSION;
use saga_core::codes;
use saga_service::bench::report::settings;
use saga_service::bench::sagas::{Options, measure};
use saga_service::bench::{BenchError, Broker, Place, Report, Row, Store, events, floor, restart};
use serde::Serialize;
use std::path::PathBuf;

/// What can be measured. Each prints machine, durability settings and seed beside its numbers.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchCommand {
    /// Sagas from start to durable end: rate, latency, CPU, flushes and bytes of each
    Saga(SagaBenchArgs),
    /// Appends of one store, with expected versions
    Append(AppendBenchArgs),
    /// Reading and decoding a whole log, and rebuilding a read model from it
    Replay(ReplayBenchArgs),
    /// Loading stories of 100 events
    Load(Common),
    /// What the disk alone can do: bare grouped appends, the floor under every other number
    Floor(FloorBenchArgs),
    /// How long a restart takes until every open saga is in memory
    Restart(RestartBenchArgs),
}

/// What every measurement takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Chance comes from this number
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Repeat so often on fresh stores, and show medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub runs: u64,
    /// Measure in memory, in a fresh folder under sqlite:DIR (its disk counts), or in fresh schemas made by the
    /// administrator of postgres://ADMIN@HOST:PORT/DATABASE
    #[arg(long, value_name = "memory|sqlite:DIR|postgres:URL", default_value = "sqlite:target/bench")]
    pub store: String,
    /// Let commands, replies and events travel over this NATS server, which must be nobody else's
    #[arg(long, value_name = "nats://HOST:PORT")]
    pub bus: Option<String>,
    /// Let commands and replies travel over the broker within this process too, as they do between processes
    #[arg(long, requires = "bus")]
    pub no_loopback: bool,
}

/// `bench saga`.
#[derive(Debug, Clone, Args)]
pub struct SagaBenchArgs {
    /// How many sagas (default: a few seconds' worth)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sagas: Option<u64>,
    /// Steps of each saga, 1 to 8
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub steps: u64,
    /// Ask four modules, each with a store of its own, instead of calling functions here
    #[arg(long)]
    pub ask: bool,
    /// The last step says no, and the others are undone
    #[arg(long)]
    pub refuse_last: bool,
    /// How many are under way at once; a list measures one after another
    #[arg(short = 'c', long, value_name = "N,..", default_value = "1,64,256", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub at_once: Vec<u64>,
    /// So many sagas ended in the same store before: what does a long history cost?
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub ended: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench append`.
#[derive(Debug, Clone, Args)]
pub struct AppendBenchArgs {
    /// How many events (default: a few seconds' worth)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub events: Option<u64>,
    /// Events of each append
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub batch: u64,
    /// How many writers append at once; a list measures one after another
    #[arg(short = 'c', long, value_name = "N,..", default_value = "1,64", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub at_once: Vec<u64>,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayBenchArgs {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench floor`.
#[derive(Debug, Clone, Args)]
pub struct FloorBenchArgs {
    /// How many writers append at once; a list measures one after another
    #[arg(short = 'c', long, value_name = "N,..", default_value = "1,64", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub at_once: Vec<u64>,
    /// Rows of each append
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=250))]
    pub batch: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench restart`.
#[derive(Debug, Clone, Args)]
pub struct RestartBenchArgs {
    /// How many sagas are open
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub open: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

impl Common {
    /// Where to measure; a broker goes with a database only.
    fn place(&self) -> Result<Place, BenchError> {
        // Not while the command line is read: its refusals repeat what was typed, and a password may stand in it.
        let store = place(&self.store).map_err(|why| BenchError::Usage(format!("--store: {why}")))?;
        match (store, &self.bus) {
            (Place::Postgres { url, .. }, bus) => {
                let broker = |bus: &String| Broker { url: bus.clone(), loopback: !self.no_loopback };
                Ok(Place::Postgres { url, bus: bus.as_ref().map(broker) })
            }
            (store, None) => Ok(store),
            (Place::Memory | Place::Sqlite(_), Some(_)) => {
                Err(BenchError::Usage("--bus goes with --store postgres://…".to_owned()))
            }
        }
    }
}

fn place(text: &str) -> Result<Place, String> {
    match text.split_once(':') {
        None if text == "memory" => Ok(Place::Memory),
        Some(("postgres" | "postgresql", _)) => Ok(Place::Postgres { url: text.to_owned(), bus: None }),
        Some(("sqlite", folder)) if !folder.is_empty() => Ok(Place::Sqlite(PathBuf::from(folder))),
        _ => Err("it is memory, sqlite: and a folder, or postgres: and a URL".to_owned()),
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Usage(why) => Failure::usage(why),
            other => Failure::new(codes::INTERNAL, format!("nothing was measured: {other}")),
        }
    }
}

impl BenchCommand {
    fn common(&self) -> &Common {
        match self {
            BenchCommand::Saga(args) => &args.common,
            BenchCommand::Append(args) => &args.common,
            BenchCommand::Replay(args) => &args.common,
            BenchCommand::Load(common) => common,
            BenchCommand::Floor(args) => &args.common,
            BenchCommand::Restart(args) => &args.common,
        }
    }
    fn name(&self) -> &'static str {
        match self {
            BenchCommand::Saga(_) => "saga",
            BenchCommand::Append(_) => "append",
            BenchCommand::Replay(_) => "replay",
            BenchCommand::Load(_) => "load",
            BenchCommand::Floor(_) => "floor",
            BenchCommand::Restart(_) => "restart",
        }
    }
    /// Everything once: the rows in their order.
    async fn once(&self) -> Result<Vec<Row>, BenchError> {
        let place = self.common().place()?;
        let store = &place;
        match self {
            BenchCommand::Saga(args) => sagas(args).await,
            BenchCommand::Append(args) => appends(args).await,
            BenchCommand::Replay(args) => Box::pin(events::replay(store, args.events)).await,
            BenchCommand::Load(_) => Ok(vec![Box::pin(events::loads(store)).await?]),
            BenchCommand::Floor(args) => {
                let mut rows = Vec::new();
                for &at_once in &args.at_once {
                    rows.extend(Box::pin(floor::floor(store, at_once, args.batch)).await?);
                }
                Ok(rows)
            }
            BenchCommand::Restart(args) => {
                Ok(vec![Box::pin(restart::restart(store, args.open, args.common.seed)).await?])
            }
        }
    }
}

async fn sagas(args: &SagaBenchArgs) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for &at_once in &args.at_once {
        let options = Options {
            sagas: args.sagas.unwrap_or(if at_once == 1 { 1_000 } else { 10_000 }),
            steps: args.steps,
            ask: args.ask,
            refuse_last: args.refuse_last,
            at_once,
            ended: args.ended,
            seed: args.common.seed,
        };
        let place = args.common.place()?;
        let floor = Box::pin(floor::floor(&place, at_once, 1)).await?;
        let mut row = Box::pin(measure(&place, &options)).await?;
        row.against(floor.as_ref().map_or(0.0, |floor| floor.per_second));
        rows.extend(floor);
        rows.push(row);
    }
    Ok(rows)
}

async fn appends(args: &AppendBenchArgs) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for &at_once in &args.at_once {
        let events = args.events.unwrap_or(if at_once * args.batch == 1 { 10_000 } else { 100_000 });
        let floor = Box::pin(floor::floor(&args.common.place()?, at_once, args.batch.min(250))).await?;
        let mut row = Box::pin(events::append(&args.common.place()?, at_once, events, args.batch)).await?;
        row.against(floor.as_ref().map_or(0.0, |floor| floor.per_second));
        rows.extend(floor);
        rows.push(row);
    }
    Ok(rows)
}

/// Measures.
pub async fn run(command: &BenchCommand, _global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let common = command.common();
    let mut all: Vec<Vec<Row>> = Vec::new();
    for _ in 0..common.runs {
        for (at, row) in command.once().await?.into_iter().enumerate() {
            match all.get_mut(at) {
                Some(runs) => runs.push(row),
                None => all.push(vec![row]),
            }
        }
    }
    let mut settings = settings(common.seed, common.runs);
    let place = common.place()?;
    let empty = Store::open(&place, &[]).await?;
    settings.extend(empty.settings());
    empty.close().await?;
    let rows = all.iter().filter_map(|runs| Row::median(runs)).collect();
    let report = Report { bench: command.name().to_owned(), rows, settings };
    let text = match out.format {
        Format::Json => json::item(&Envelope { api_version: API_VERSION, kind: "BenchReport", report: &report })?,
        Format::Ndjson => report.rows.iter().map(json::item).collect::<Result<String, _>>()?,
        Format::Table | Format::Wide | Format::Id => table(&report, &out.style),
    };
    out.data(&text)?;
    Ok(Exit::DONE)
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

fn table(report: &Report, style: &Style) -> String {
    let mut table = Table::new([
        Column::new("WORKLOAD"),
        Column::new("AT ONCE").right(),
        Column::new("PER SECOND").right(),
        Column::new("P50 MS").right(),
        Column::new("P99 MS").right().drop(3),
        Column::new("CPU S/1000").right().drop(5),
        Column::new("FLUSHES EACH").right().drop(4),
        Column::new("DISK BYTES EACH").right().drop(2),
        Column::new("LOG BYTES EACH").right().drop(1),
        Column::new("OF FLOOR").right().drop(6),
    ]);
    for row in &report.rows {
        let number = |value: Option<f64>, digits: usize| value.map_or_else(String::new, |it| format!("{it:.digits$}"));
        let flushes = row.flushes_each.values().map(|each| format!("{each:.2}")).collect::<Vec<_>>().join("+");
        let cells = [
            row.workload.clone(),
            row.at_once.to_string(),
            format!("{:.0}", row.per_second),
            number(row.p50_ms, 2),
            number(row.p99_ms, 2),
            number(row.cpu_s_per_1000, 3),
            flushes,
            number(row.disk_bytes_each, 0),
            number(row.log_bytes_each, 0),
            row.of_floor.map_or_else(String::new, |part| format!("{:.0} %", part * 100.0)),
        ];
        table.row(cells.map(Cell::new));
    }
    let settings = report.settings.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    format!("{}\n{}\n", table.render(style).text, settings.join("\n"))
}
