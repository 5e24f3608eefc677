//! Your first module: a store of goods with commands, events, a read model, a query and a reactor, on SQLite, asked by
//! a saga, shown over the admin API, and held to the laws. `docs/first-module.md` goes through it.
#![expect(clippy::print_stdout, reason = "an example prints")]

// -- the door: what the module answers
mod api {
    use saga::core::command::Common;
    use saga::core::id::StepKey;
    use saga::core::port;
    use serde::{Deserialize, Serialize};

    const MODULE: &str = "stock";

    /// Puts pieces of an article aside for a customer.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) struct Reserve {
        pub(crate) article: String,
        pub(crate) pieces: u32,
    }
    /// Puts them back.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) struct Release {
        pub(crate) article: String,
        pub(crate) deed: StepKey,
    }
    /// Pieces arrive.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) struct Receive {
        pub(crate) article: String,
        pub(crate) pieces: u32,
    }
    /// How many pieces are free?
    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) struct Free {
        pub(crate) article: String,
    }
    // Known before the deed: it is right even if the answer to the deed never comes.
    port!(MODULE: Reserve -> u32, Common, undo Release: |cmd, deed| Release { article: cmd.article.clone(), deed });
    port!(MODULE: Release -> (), Common);
    port!(MODULE: Receive -> (), Common);
    port!(MODULE: Free ? u32);
}

// -- what it tells the world: events are data, and every version stays readable
mod events {
    use saga::core::event::Owner;
    use saga::core::id::StepKey;
    use serde::{Deserialize, Serialize};

    pub(crate) enum Stock {}
    impl Owner for Stock {
        const MODULE: &'static str = "stock";
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Received {
        pub(crate) article: String,
        pub(crate) pieces: u32,
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Reserved {
        pub(crate) article: String,
        pub(crate) deed: StepKey,
        pub(crate) pieces: u32,
        pub(crate) left: u32,
    }
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Released {
        pub(crate) article: String,
        pub(crate) deed: StepKey,
        pub(crate) pieces: u32,
    }
    saga::story! {
        /// The story of one article.
        pub(crate) enum ArticleEvent of Stock in "stock_article" { Received, Reserved, Released }
    }
}

// -- inside: a pure state, handlers that return what to commit, a fold for readers
mod internal {
    use super::api::{Free, Receive, Release, Reserve};
    use super::events::{ArticleEvent, Received, Released, Reserved, Stock};
    use saga::core::aggregate::Aggregate;
    use saga::core::command::Common;
    use saga::core::id::StepKey;
    use saga::core::module::{Cx, Docs, Halt, Handled, Module, OrRetry, QueryError, Reactor};
    use saga::core::projection::Projection;
    use saga::core::read_model::ReadModel;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    /// What the module needs from outside: here, how many pieces a new order brings.
    #[derive(Debug, Clone)]
    pub(crate) struct Needs {
        pub(crate) reorders: u32,
    }

    #[derive(Default)]
    struct Article {
        free: u32,
        reserved: BTreeMap<StepKey, u32>,
    }
    impl Aggregate for Article {
        type Event = ArticleEvent;
        fn evolve(&mut self, event: &ArticleEvent) {
            match event {
                ArticleEvent::Received(event) => self.free += event.pieces,
                ArticleEvent::Reserved(event) => {
                    self.free = event.left;
                    self.reserved.insert(event.deed, event.pieces);
                }
                ArticleEvent::Released(event) => {
                    self.free += event.pieces;
                    self.reserved.remove(&event.deed);
                }
            }
        }
    }

    async fn receive(cx: Cx<Needs>, cmd: Receive) -> Handled<Receive> {
        let article = cx.load::<Article>(&cmd.article).await.or_retry()?;
        Ok(cx.done(()).append(&article, [Received { article: cmd.article, pieces: cmd.pieces }.into()]))
    }
    async fn reserve(cx: Cx<Needs>, cmd: Reserve) -> Handled<Reserve> {
        let article = cx.load::<Article>(&cmd.article).await.or_retry()?;
        let Some(left) = article.state.free.checked_sub(cmd.pieces) else {
            return Err(Halt::Refuse(Common::WrongState { state: format!("{} free", article.state.free) }));
        };
        // The deed's key names what it made, so the undo finds it and nothing else.
        let reserved = Reserved { article: cmd.article, deed: cx.key(), pieces: cmd.pieces, left };
        Ok(cx.done(left).append(&article, [reserved.into()]))
    }
    async fn release(cx: Cx<Needs>, cmd: Release) -> Handled<Release> {
        let article = cx.load::<Article>(&cmd.article).await.or_retry()?;
        let pieces = article.state.reserved.get(&cmd.deed).copied();
        let released = pieces.map(|pieces| Released { article: cmd.article, deed: cmd.deed, pieces }.into());
        Ok(cx.done(()).append(&article, released))
    }

    const SHELF: ReadModel<Shelf> = ReadModel::new("stock.shelf", 1, &[]);
    #[derive(Debug, Serialize, Deserialize)]
    struct Shelf {
        free: u32,
    }
    async fn free(docs: Docs, query: Free) -> Result<u32, QueryError> {
        let shelf = docs.get(SHELF, &query.article).await?;
        Ok(shelf.map_or(0, |shelf| shelf.free))
    }

    /// The module: inert data until it is hosted.
    pub(crate) fn module(needs: Needs) -> Module {
        let shelf = Projection::new(SHELF).story::<ArticleEvent>(|shelf, event, _| {
            let free = shelf.map_or(0, |shelf| shelf.free);
            Some(match event {
                ArticleEvent::Received(event) => Shelf { free: free + event.pieces },
                ArticleEvent::Reserved(event) => Shelf { free: event.left },
                ArticleEvent::Released(event) => Shelf { free: free + event.pieces },
            })
        });
        // An event becomes a command of the module itself, once, whatever crashes between the two.
        let reorders = needs.reorders;
        let reorder = Reactor::new("reorder").on::<Reserved, Receive>(move |event, _| {
            (event.left == 0).then(|| Receive { article: event.article.clone(), pieces: reorders })
        });
        Module::new::<Stock, _>("1.0", needs)
            .command(receive)
            .command(reserve)
            .command(release)
            .query(free)
            .projection(shelf.build())
            .reactor(reorder)
            .build()
    }
}

// -- the saga that asks it
use api::{Receive, Reserve};
use saga::LocalControl;
use saga::core::control::{Asks, Selector};
use saga::core::envelope::Actor;
use saga::core::id::RequestId;
use saga::core::ports::{Clock, Ids};
use saga::prelude::*;
use saga_admin::client::AdminClient;
use saga_admin::server::Server;
use std::sync::Arc;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Order {
    article: String,
    pieces: u32,
    paid: bool,
}
impl Saga for Order {
    const NAME: &'static str = "order";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("reserve", reserve).pivot("send", send).end()
    }
}
fn reserve(In(order): In<Order>) -> Reserve {
    Reserve { article: order.article, pieces: order.pieces }
}
async fn send(In(order): In<Order>, Using(counter): Using<Counter>) -> Step<String> {
    if order.paid { Ok(format!("sent from {}", counter.0)) } else { Err(refuse("not paid")) }
}
/// What steps of the saga use: a client, a pool. It is given at registration, and needs no `static`.
struct Counter(&'static str);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let stores = saga_sqlite::SqliteStores::new(folder.path(), Arc::new(saga::SystemClock));
    let sagas = Orchestrator::on(Arc::new(stores))
        .module(internal::module(internal::Needs { reorders: 50 }))
        .register::<Order>()
        .using(Counter("the counter"))
        .start()
        .await?;
    let dana = Actor::operator("dana");
    let bread = |pieces| Receive { article: "bread".to_owned(), pieces };
    sagas.command(&bread(10), RequestId(saga::FreshIds.next(saga::SystemClock.now())), dana.clone()).await?;

    println!("{}\n", sagas.run(Order { article: "bread".to_owned(), pieces: 4, paid: true }).await?);
    println!("{}\n", sagas.run(Order { article: "bread".to_owned(), pieces: 6, paid: false }).await?);

    // The same over HTTP: whatever a person may see or order is one interface, and this is one of its faces.
    let control = Arc::new(LocalControl::new(sagas.clone(), "sqlite", "in process"));
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await?;
    let face = AdminClient::new(&server.url(), Duration::from_secs(60))?;
    let (enough, stop) = tokio::sync::oneshot::channel::<()>();
    let asking = async {
        let seen = face.ask(&dana, Selector { all: true, ..Selector::default() }).await;
        drop(enough);
        seen
    };
    let stopped = async {
        let _over = stop.await;
    };
    let (served, seen) = tokio::join!(server.run(control, stopped), asking);
    served?;
    println!("the admin API shows {} sagas", seen?.items.len());
    Ok(sagas.shutdown().await?)
}

#[cfg(test)]
mod laws {
    use super::*;
    use api::Free;
    use saga::core::saga::define;
    use saga_testkit::laws::saga::Case;
    use saga_testkit::stage::{Stage, ready};
    use saga_testkit::world::World;

    fn module() -> saga::core::module::Module {
        internal::module(internal::Needs { reorders: 50 })
    }
    fn stocked() -> Stage {
        let mut stage = Stage::new(module());
        stage.send(&Receive { article: "bread".to_owned(), pieces: 10 }, Actor::operator("dana")).unwrap();
        stage
    }
    fn free(stage: &Stage) -> u32 {
        stage.query(&Free { article: "bread".to_owned() }).unwrap()
    }
    saga_testkit::module_laws!(
        reserving,
        stocked,
        |_: &mut Stage| Reserve { article: "bread".to_owned(), pieces: 4 },
        free
    );

    async fn an_order() -> Case {
        let mut world = World::new(vec![define::<Order>()], vec![module()]).await.unwrap();
        world.given = world.given.clone().with(Counter("the counter"));
        world.command(&Receive { article: "bread".to_owned(), pieces: 10 }).await.unwrap();
        let saga = world.start(&Order { article: "bread".to_owned(), pieces: 4, paid: true }).unwrap();
        Case { world, saga, answer: |_, _| {} }
    }
    saga_testkit::saga_laws!(ordering, an_order, |world: &World| ready(
        world.query(&Free { article: "bread".to_owned() })
    ));

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
