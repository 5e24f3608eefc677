//! Branches side by side: when one is refused, what the others did is taken back.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct Trip {
    seats: u32,
}
#[derive(Serialize, Deserialize)]
struct Booked {
    what: String,
}
impl Saga for Trip {
    const NAME: &'static str = "trip";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.all("book", |all| {
            all.branch("hotel", |p| p.step("room", room, cancel)).branch("flight", |p| p.step("seats", seats, cancel))
        })
        .pivot("pay", pay)
        .end()
    }
}
async fn room() -> Step<Booked> {
    Ok(Booked { what: "a room".to_owned() })
}
async fn seats(In(trip): In<Trip>) -> Step<Booked> {
    if trip.seats > 9 { Err(refuse("only 9 seats are left")) } else { Ok(Booked { what: "seats".to_owned() }) }
}
async fn cancel(Undoing(key): Undoing) -> Step<()> {
    println!("cancelled booking {}", key.short());
    Ok(())
}
async fn pay() -> Step<()> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), saga::Error> {
    let sagas = Orchestrator::in_memory().register::<Trip>().start().await?;
    for seats in [2, 40] {
        println!("{}\n", sagas.run(Trip { seats }).await?);
    }
    sagas.shutdown().await
}
