//! The same body for each item of a list, three at a time; one branch may fail and is taken back alone.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct Album {
    photos: Vec<String>,
}
#[derive(Serialize, Deserialize)]
struct Thumbnail {
    of: String,
}
impl Saga for Album {
    const NAME: &'static str = "album";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.each("photos", photos, AtMost(3), |p| p.step("thumbnail", shrink, delete).read("check", check))
            .may_fail(1)
            .pivot("publish", publish)
            .end()
    }
}
fn photos(In(album): In<Album>) -> Vec<String> {
    album.photos
}
async fn shrink(Item(photo): Item<String>) -> Step<Thumbnail> {
    Ok(Thumbnail { of: photo })
}
async fn delete(Undoing(key): Undoing) -> Step<()> {
    println!("thumbnail {} is deleted", key.short());
    Ok(())
}
async fn check(Item(photo): Item<String>) -> Step<()> {
    if photo.ends_with(".jpg") { Ok(()) } else { Err(refuse(format!("{photo} is no photo"))) }
}
async fn publish(Outs(thumbnails): Outs<Thumbnail>) -> Step<String> {
    Ok(thumbnails.into_iter().map(|thumbnail| thumbnail.of).collect::<Vec<_>>().join(" "))
}

#[tokio::main]
async fn main() -> Result<(), saga::Error> {
    let sagas = Orchestrator::in_memory().register::<Album>().start().await?;
    let photos = ["sea.jpg", "notes.txt", "dunes.jpg"].map(str::to_owned).to_vec();
    println!("{}", sagas.run(Album { photos }).await?);
    sagas.shutdown().await
}
