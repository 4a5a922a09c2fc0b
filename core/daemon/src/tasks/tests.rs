use super::*;
use crate::{
    backoff::Policy,
    entropy::SeededEntropy,
    health::{CheckState, Health},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const DEADLINE: Duration = Duration::from_secs(20);

fn supervisor(health: &Health) -> Supervisor {
    let quick = Duration::from_millis(1);
    let policy = Policy { initial: quick, max: quick, deadline: None };
    Supervisor::new(health.clone(), Arc::new(SeededEntropy::new(1))).with_backoff(policy)
}

fn error(text: &str) -> TaskError {
    TaskError::retry(text)
}

#[tokio::test]
async fn a_failing_and_a_panicking_task_are_started_again() {
    let (health, starts) = (Health::new(), Arc::new(AtomicU32::new(0)));
    let mut tasks = supervisor(&health);
    let counted = Arc::clone(&starts);
    tasks.spawn("flaky", move |_| {
        let start = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match start {
                0 => Err(error("first")),
                1 => panic!("second, on purpose"),
                _ => Ok(()),
            }
        }
    });
    let ended = tasks.run(DEADLINE).await.unwrap();
    assert_eq!(ended, Ended { outcome: Outcome::Finished, cut_off: vec![] });
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    assert!(health.report().ready, "a finished task has left the board");
}

#[tokio::test]
async fn a_task_in_its_backoff_is_degraded_with_its_reason() {
    let health = Health::new();
    let long = Duration::from_secs(3600);
    let policy = Policy { initial: long, max: long, deadline: None };
    let mut tasks = supervisor(&health).with_backoff(policy);
    tasks.spawn("flaky", |_| async { Err(error("node is away")) });
    let stop = tasks.stop_source();
    let running = tokio::spawn(tasks.run(DEADLINE));
    let expected = CheckState::Degraded { reason: "node is away".to_owned() };
    wait_for(|| health.report().checks.get("task.flaky") == Some(&expected)).await;
    stop.trigger();
    assert_eq!(running.await.unwrap().unwrap().outcome, Outcome::Stopped, "the stop ends the backoff");
}

#[tokio::test]
async fn a_task_that_leaves_its_loop_at_the_stop_has_not_failed() {
    let health = Health::new();
    let mut tasks = supervisor(&health);
    tasks.spawn("loop", |mut stop| async move {
        loop {
            stop.sleep(Duration::from_secs(3600)).await?;
        }
    });
    tasks.stop_source().trigger();
    let ended = tasks.run(DEADLINE).await.unwrap();
    assert_eq!(ended, Ended { outcome: Outcome::Stopped, cut_off: vec![] });
}

#[tokio::test]
async fn a_fatal_failure_stops_the_others_and_lets_them_finish() {
    let (health, drained) = (Health::new(), Arc::new(AtomicU32::new(0)));
    let mut tasks = supervisor(&health);
    let counted = Arc::clone(&drained);
    tasks.spawn("worker", move |mut stop| {
        let counted = Arc::clone(&counted);
        async move {
            stop.stopped().await;
            tokio::task::yield_now().await;
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    tasks.spawn("signer", |_| async { Err(TaskError::fatal("record is not durable")) });
    let ended = tasks.run(DEADLINE).await.unwrap();
    let outcome = Outcome::Fatal { task: "signer".to_owned(), reason: "record is not durable".to_owned() };
    assert_eq!(ended, Ended { outcome, cut_off: vec![] });
    assert_eq!(drained.load(Ordering::SeqCst), 1);
    assert!(!health.report().alive);
}

#[tokio::test]
async fn used_up_retries_are_fatal() {
    let health = Health::new();
    let quick = Duration::from_millis(1);
    let policy = Policy { initial: quick, max: quick, deadline: Some(3 * quick) };
    let mut tasks = supervisor(&health).with_backoff(policy);
    tasks.spawn("hopeless", |_| async { Err(error("no")) });
    let ended = tasks.run(DEADLINE).await.unwrap();
    assert!(
        matches!(ended.outcome, Outcome::Fatal { task, reason } if task == "hopeless" && reason.contains("used up"))
    );
}

#[tokio::test]
async fn a_task_that_does_not_stop_is_cut_off_and_named() {
    struct Dropped(Arc<Notify>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let mut tasks = supervisor(&Health::new());
    let guard = Arc::clone(&dropped);
    tasks.spawn("stubborn", move |_| {
        let guard = Dropped(Arc::clone(&guard));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(())
        }
    });
    tasks.stop_source().trigger();
    let ended = tasks.run(Duration::from_millis(20)).await.unwrap();
    assert_eq!(ended.cut_off, ["stubborn"]);
    tokio::time::timeout(DEADLINE, dropped.notified()).await.unwrap();
}

async fn wait_for(fact: impl Fn() -> bool) {
    let waiting = async {
        while !fact() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap();
}
