use tokio::time::Instant;

use super::super::fake::{Trouble, deployment, lasting};
use super::*;

fn of_group(service: &Fake, region: &str, group: &str) -> Plan<Fake> {
    let request = Request {
        group: group.into(),
        ..request()
    };
    Plan {
        region: region.into(),
        ..creating(service, request)
    }
}

#[tokio::test(start_paused = true)]
async fn deployments_of_one_wave_run_at_the_same_time_and_waves_one_after_the_other() {
    for (in_waves, least, most) in [(false, 600, 650), (true, 1800, 1900)] {
        let service = Fake::new(lasting(secs(600)));
        let plans = ["a", "b", "c"].map(|group| of_group(&service, "eu-west-1", group));
        let waves: Vec<Vec<Plan<Fake>>> = match in_waves {
            true => plans.into_iter().map(|plan| vec![plan]).collect(),
            false => vec![plans.into()],
        };
        let since = Instant::now();
        let ends = Mutex::new(Vec::new());
        let ended = |number, _: &Outcome| ends.lock().unwrap().push((number, since.elapsed()));
        let outcomes = run(&waves, &waiting(), &|_, _| {}, &ended, &Cancel::new()).await;
        assert!(outcomes.iter().all(Outcome::is_success));
        let took = since.elapsed();
        assert!((secs(least)..secs(most)).contains(&took), "{took:?}");
        // Each end is told when it comes, not after the last wave.
        let ends = ends.into_inner().unwrap();
        assert_eq!(ends.len(), 3);
        assert!(ends[0].1 < secs(650), "{ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_lets_its_wave_end_and_stops_later_waves() {
    let fails = |age| {
        let status = match age < secs(60) {
            true => Status::InProgress,
            false => Status::Failed,
        };
        (deployment(status), Vec::new())
    };
    let bad = Fake::new(fails);
    let good = Fake::new(lasting(secs(600)));
    let waves = [
        vec![
            of_group(&bad, "us-east-1", "a"),
            of_group(&good, "eu-west-1", "b"),
        ],
        vec![of_group(&good, "eu-west-1", "c")],
    ];
    let numbers = Mutex::new(Vec::new());
    let report = |number: usize, _: &Event| numbers.lock().unwrap().push(number);
    let outcomes = run(&waves, &waiting(), &report, &|_, _| {}, &Cancel::new()).await;
    let good: Vec<bool> = outcomes.iter().map(Outcome::is_success).collect();
    assert_eq!(good, [false, true, false]);
    assert_eq!(outcomes[2], Outcome::NotBegun);
    let numbers = numbers.into_inner().unwrap();
    assert!(numbers.contains(&0) && numbers.contains(&1) && !numbers.contains(&2));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_ends_all_waits_and_later_waves() {
    let service = Fake::new(lasting(secs(600)));
    let waves = [
        vec![
            of_group(&service, "eu-west-1", "a"),
            of_group(&service, "eu-west-1", "b"),
        ],
        vec![of_group(&service, "eu-west-1", "c")],
    ];
    let cancel = Cancel::new();
    let later = async {
        tokio::time::sleep(secs(100)).await;
        cancel.cancel();
    };
    let conduct = waiting();
    let (outcomes, ()) = tokio::join!(
        run(&waves, &conduct, &|_, _| {}, &|_, _| {}, &cancel),
        later
    );
    let ids: Vec<_> = outcomes[..2]
        .iter()
        .map(|outcome| failed(outcome.clone()).deployment().map(str::to_owned))
        .collect();
    assert!(ids.iter().all(Option::is_some));
    assert_eq!(outcomes[2], Outcome::NotBegun);
}

#[tokio::test(start_paused = true)]
async fn many_deployments_in_a_region_share_its_pace() {
    let service = Fake::new(lasting(secs(1200)));
    let groups: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let plans = groups
        .iter()
        .map(|group| of_group(&service, "eu-west-1", group));
    let waves = [plans.collect::<Vec<_>>()];
    let service = service.clone().with(
        "GetDeployment",
        vec![Trouble::Refused("ThrottlingException"); 200],
    );
    let since = Instant::now();
    let outcomes = run(&waves, &waiting(), &|_, _| {}, &|_, _| {}, &Cancel::new()).await;
    assert!(outcomes.iter().all(Outcome::is_success));
    let asked = service.asked("GetDeployment") + service.asked("ListDeploymentTargets");
    let each_second = asked as f64 / since.elapsed().as_secs_f64();
    assert!(each_second < 10.0, "{each_second}");
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_a_task_of_its_own() {
    let service = Fake::new(lasting(secs(60)));
    let waves = [vec![of_group(&service, "eu-west-1", "a")]];
    let task = async move { run(&waves, &waiting(), &|_, _| {}, &|_, _| {}, &Cancel::new()).await };
    assert!(tokio::spawn(task).await.unwrap()[0].is_success());
}
