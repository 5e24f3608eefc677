//! Batches short reads: the questions that arrive while the server answers others travel in the next statement, as
//! batches do on their way into the log. A question without company goes at once, from its caller's task.

use crate::decode::{self, EVENT_COLUMNS, INBOX_COLUMNS};
use crate::fault::{Fault, read_error};
use crate::lanes::Lanes;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use saga_core::envelope::Recorded;
use saga_core::id::{Epoch, StepKey, StreamId, Version};
use saga_core::ports::{ReadError, Recollection};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

/// 128 in one statement: beyond that the statement itself costs nothing any more.
const GROUP_MAX: usize = 128;
/// Two statements at once: while one is being answered, the next is on its way.
const LANES: u32 = 2;
/// 512 questions wait in the queue; a later caller waits until there is room.
const WAITING_MAX: usize = 512;

/// Questions of one kind, of which many can be asked in one statement.
pub(crate) trait Kind: Send + Sync + Sized + 'static {
    type Answer: Send + 'static;
    /// One answer for each question, in their order.
    fn ask(
        connection: &mut PgConnection,
        questions: &[Self],
    ) -> impl Future<Output = Result<Vec<Result<Self::Answer, ReadError>>, sqlx::Error>> + Send;
}

struct Asked<Q: Kind> {
    question: Q,
    tell: oneshot::Sender<Result<Q::Answer, ReadError>>,
}

/// Where questions of one kind are asked.
pub(crate) struct Asker<Q: Kind> {
    lanes: Arc<Lanes>,
    place: String,
    free: Arc<Semaphore>,
    present: AtomicUsize,
    asked: mpsc::Sender<Asked<Q>>,
}

/// Counts the callers that ask at this time, each until it has its answer.
struct Company<'a>(&'a AtomicUsize);
impl<'a> Company<'a> {
    fn join(present: &'a AtomicUsize) -> Self {
        present.fetch_add(1, Ordering::Relaxed);
        Self(present)
    }
    fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}
impl Drop for Company<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<Q: Kind> Asker<Q> {
    /// An asker, and what has to run for it to be answered.
    pub(crate) fn new(lanes: Arc<Lanes>, place: String) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        let free = Arc::new(Semaphore::new(LANES as usize));
        let serving = serve(Arc::clone(&lanes), place.clone(), Arc::clone(&free), waiting);
        (Self { lanes, place, free, present: AtomicUsize::new(0), asked }, serving)
    }
    pub(crate) async fn ask(&self, question: Q) -> Result<Q::Answer, ReadError> {
        let company = Company::join(&self.present);
        // Callers that came with this one get their turn first: questions that are asked together are written together.
        tokio::task::yield_now().await;
        if company.is_alone()
            && let Ok(_both) = self.free.try_acquire_many(LANES)
        {
            return alone(&self.lanes, &self.place, &question).await;
        }
        let closed = || ReadError::Unavailable("the store is closed".to_owned());
        let (tell, told) = oneshot::channel();
        self.asked.send(Asked { question, tell }).await.map_err(|_| closed())?;
        told.await.map_err(|_| closed())?
    }
}

async fn serve<Q: Kind>(lanes: Arc<Lanes>, place: String, free: Arc<Semaphore>, mut waiting: mpsc::Receiver<Asked<Q>>) {
    let mut under_way = FuturesUnordered::new();
    let mut first = None;
    loop {
        tokio::select! {
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            next = waiting.recv(), if first.is_none() => match next {
                Some(asked) => first = Some(asked),
                None => return,
            },
            lane = Arc::clone(&free).acquire_owned(), if first.is_some() => {
                let (Ok(lane), Some(Asked { question, tell })) = (lane, first.take()) else { return };
                let (mut questions, mut tell) = (vec![question], vec![tell]);
                while questions.len() < GROUP_MAX {
                    let Ok(next) = waiting.try_recv() else { break };
                    questions.push(next.question);
                    tell.push(next.tell);
                }
                let answering = answer(&lanes, &place, questions, tell);
                under_way.push(async move {
                    answering.await;
                    drop(lane);
                });
            }
        }
    }
}

/// Answers every caller. Where the statement may have failed at one of the questions, each is asked alone, so that only
/// the caller of the damaged one hears of it.
async fn answer<Q: Kind>(
    lanes: &Lanes,
    place: &str,
    questions: Vec<Q>,
    tell: Vec<oneshot::Sender<Result<Q::Answer, ReadError>>>,
) {
    let answers = match ask(lanes, &questions).await {
        Ok(answers) => answers,
        Err(why) if questions.len() > 1 && matches!(Fault::of(&why), Fault::Corrupt | Fault::Unstorable) => {
            let mut answers = Vec::with_capacity(questions.len());
            for question in &questions {
                answers.push(alone(lanes, place, question).await);
            }
            answers
        }
        Err(why) => questions.iter().map(|_| Err(read_error(place, &why))).collect(),
    };
    for (tell, answer) in tell.into_iter().zip(answers) {
        // A caller that has gone away needs no answer.
        tell.send(answer).ok();
    }
}
async fn alone<Q: Kind>(lanes: &Lanes, place: &str, question: &Q) -> Result<Q::Answer, ReadError> {
    let answers = ask(lanes, std::slice::from_ref(question)).await;
    let mut answers = answers.map_err(|why| read_error(place, &why))?;
    answers.pop().unwrap_or_else(|| Err(ReadError::Unavailable(format!("{place}: no answer"))))
}

async fn ask<Q: Kind>(lanes: &Lanes, questions: &[Q]) -> Result<Vec<Result<Q::Answer, ReadError>>, sqlx::Error> {
    // What the server has refused leaves the connection as it was.
    let stands = |answers: &Result<_, _>| answers.as_ref().err().is_none_or(|why| Fault::of(why) != Fault::Lost);
    let _room = lanes.room().await?;
    if let Some(mut connection) = lanes.take_used().await {
        let answers = Q::ask(&mut connection, questions).await;
        if stands(&answers) {
            lanes.give_back(connection);
            return answers;
        }
        // It was dead already, or has died with the question: a question may be asked twice.
    }
    let mut connection = lanes.make().await?;
    let answers = Q::ask(&mut connection, questions).await;
    if stands(&answers) {
        lanes.give_back(connection);
    }
    answers
}

/// What the inbox remembers of a deed.
pub(crate) struct Recall {
    pub(crate) saga: Uuid,
    pub(crate) deed: StepKey,
    pub(crate) undo: StepKey,
}

/// One statement, so that the three answers are of one moment.
static RECALL: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<String> = INBOX_COLUMNS.split(", ").map(|column| format!("i.{column}")).collect();
    format!(
        "SELECT {}, (SELECT max(e.epoch) FROM es_inbox e WHERE e.saga = q.saga), q.n \
         FROM unnest($1, $2, $3) WITH ORDINALITY AS q(saga, deed, undo, n) \
         LEFT JOIN es_inbox i ON i.saga = q.saga AND i.key IN (q.deed, q.undo)",
        columns.join(", ")
    )
});

impl Kind for Recall {
    type Answer = Recollection;
    async fn ask(
        connection: &mut PgConnection,
        questions: &[Self],
    ) -> Result<Vec<Result<Recollection, ReadError>>, sqlx::Error> {
        let rows = sqlx::query(AssertSqlSafe(RECALL.as_str()))
            .bind(questions.iter().map(|question| question.saga).collect::<Vec<_>>())
            .bind(questions.iter().map(|question| question.deed.uuid()).collect::<Vec<_>>())
            .bind(questions.iter().map(|question| question.undo.uuid()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let mut answers: Vec<_> = questions.iter().map(|_| Ok(Recollection::default())).collect();
        for row in &rows {
            let number = number(row, 6)?;
            let (Some(question), Some(answer)) = (questions.get(number), answers.get_mut(number)) else { continue };
            let epoch: Option<i64> = row.try_get(5)?;
            let known: Option<Uuid> = row.try_get(1)?;
            let remembered = known.map(|_| decode::remembered(row)).transpose();
            match (remembered, answer) {
                (_, Err(_)) => {}
                (Err(why), answer) => *answer = Err(why),
                (Ok(remembered), Ok(answer)) => {
                    answer.epoch = Epoch(epoch.unwrap_or(0).cast_unsigned());
                    let Some(((_, key), remembered)) = remembered else { continue };
                    if key == question.deed {
                        answer.deed = Some(remembered.clone());
                    }
                    if key == question.undo {
                        answer.undo = Some(remembered);
                    }
                }
            }
        }
        Ok(answers)
    }
}

/// A page of one stream.
pub(crate) struct Story {
    pub(crate) stream: StreamId,
    pub(crate) after: Version,
    pub(crate) limit: usize,
}

/// One story alone needs no join.
static ONE_STORY: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {EVENT_COLUMNS} FROM es_events WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3")
});
static STORY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT e.*, q.n FROM unnest($1, $2, $3) WITH ORDINALITY AS q(stream, after, most, n) \
         CROSS JOIN LATERAL (SELECT {EVENT_COLUMNS} FROM es_events \
           WHERE stream = q.stream AND version > q.after ORDER BY version LIMIT q.most) e"
    )
});

impl Kind for Story {
    type Answer = Vec<Recorded>;
    async fn ask(
        connection: &mut PgConnection,
        questions: &[Self],
    ) -> Result<Vec<Result<Vec<Recorded>, ReadError>>, sqlx::Error> {
        let most = |question: &Self| i64::try_from(question.limit).unwrap_or(i64::MAX);
        let after = |question: &Self| i64::try_from(question.after.0).unwrap_or(i64::MAX);
        if let [alone] = questions {
            let query = sqlx::query(AssertSqlSafe(ONE_STORY.as_str())).bind(alone.stream.as_str());
            let mut rows = query.bind(after(alone)).bind(most(alone)).fetch(&mut *connection);
            let mut page = Ok(Vec::new());
            // Read while the server still sends.
            while let Some(row) = rows.try_next().await? {
                page = page.and_then(|mut page| {
                    page.push(decode::recorded(&row)?);
                    Ok(page)
                });
            }
            return Ok(vec![page]);
        }
        let rows = sqlx::query(AssertSqlSafe(STORY.as_str()))
            .bind(questions.iter().map(|question| question.stream.as_str()).collect::<Vec<_>>())
            .bind(questions.iter().map(after).collect::<Vec<_>>())
            .bind(questions.iter().map(most).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let mut answers: Vec<Result<Vec<Recorded>, ReadError>> = questions.iter().map(|_| Ok(Vec::new())).collect();
        for row in &rows {
            let Some(answer) = answers.get_mut(number(row, 12)?) else { continue };
            match (decode::recorded(row), &mut *answer) {
                (Ok(recorded), Ok(page)) => page.push(recorded),
                (Err(why), Ok(_)) => *answer = Err(why),
                (_, Err(_)) => {}
            }
        }
        // The order of a join is nobody's promise.
        for page in answers.iter_mut().flatten() {
            page.sort_unstable_by_key(|recorded| recorded.version);
        }
        Ok(answers)
    }
}

/// Which question a row answers; the server counts from one.
fn number(row: &PgRow, column: usize) -> Result<usize, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    Ok(usize::try_from(number - 1).unwrap_or(usize::MAX))
}
