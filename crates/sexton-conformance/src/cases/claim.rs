//! The rows of the claim table, each by itself.

use sexton_core::lock::{Claim, ClaimLead, Denial, Outcome, Verdict};
use sexton_core::policy::Overlap;
use sexton_core::tick::{Attempt, Fence, Tick};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, long};

pub(crate) async fn a_due_tick_is_granted_with_the_first_fence_and_attempt(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    assert_eq!(held.grant.fence, Fence::new(1), "the first fence");
    assert_eq!(held.grant.attempt, Attempt::FIRST, "the first attempt");
    assert_eq!(
        held.grant.lease_until, None,
        "the default policies need no lease"
    );
    Ok(())
}

pub(crate) async fn a_second_claimant_is_denied(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await?;
    a.denied(&a.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn a_tick_that_ended_is_taken(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    for (n, outcome) in [(0, Outcome::Succeeded), (1, Outcome::Failed)] {
        let held = a.run(&digest.nth(n)).await?;
        a.end(&held.lock, outcome).await?;
        b.denied(&b.asks(&digest.nth(n)), Denial::Taken).await?;
    }
    Ok(())
}

pub(crate) async fn a_tick_below_the_watermark_is_taken(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(5)).await?;
    for n in [4, 0, -100_000] {
        b.denied(&b.asks(&digest.nth(n)), Denial::Taken).await?;
    }
    b.run(&digest.nth(6)).await.map(drop)
}

pub(crate) async fn a_denied_claim_leaves_the_watermark_where_it_was(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(5)).await?;
    b.denied(&b.asks(&digest.nth(2)), Denial::Taken).await?;
    b.denied(&b.asks(&digest.nth(3)), Denial::Taken).await
}

pub(crate) async fn tasks_and_indices_have_registers_of_their_own(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(5)).of(2)?).await?;
    let other_index = digest.index(2)?.nth(5);
    let other_task = bench.task("report").await?.nth(0);
    for execution in [other_index, other_task] {
        let held = b.take(&b.asks(&execution).of(2)?).await?;
        assert_eq!(
            held.fence(),
            Fence::new(1),
            "the first grant of {execution} begins at fence 1"
        );
    }
    Ok(())
}

pub(crate) async fn each_grant_has_a_higher_fence(bench: Bench) -> Result<(), Failure> {
    let replicas = [bench.replica().await?, bench.replica().await?];
    let digest = bench.task("digest").await?;
    let mut last = Fence::NONE;
    for (n, replica) in (0..20).zip(replicas.iter().cycle()) {
        let held = replica.run(&digest.nth(n)).await?;
        assert!(
            held.fence() > last,
            "fence {} came after {last}",
            held.fence()
        );
        last = held.fence();
    }
    Ok(())
}

pub(crate) async fn a_tick_ahead_of_the_lead_is_too_early(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let hour_ahead = digest.nth(7_200);
    for lead in [
        ClaimLead::ZERO,
        ClaimLead::default(),
        ClaimLead::new(ClaimLead::MAX)?,
    ] {
        let verdict = a.claim_ahead(&a.asks(&hour_ahead), lead).await?.value;
        assert_eq!(
            verdict,
            Verdict::Denied(Denial::TooEarly),
            "an hour ahead under {lead:?}"
        );
    }
    Ok(())
}

pub(crate) async fn a_tick_that_is_too_early_is_not_recorded(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let soon = digest.at(Tick::at_or_before(a.manager.now().await?).saturating_add_millis(1_000));
    a.denied(&a.asks(&soon), Denial::TooEarly).await?;
    // Neither the watermark nor a record stands in the way of an earlier tick, or of the same one.
    a.run(&digest.nth(0)).await?;
    bench.pass(std::time::Duration::from_millis(1_000)).await?;
    b.run(&soon).await.map(drop)
}

pub(crate) async fn the_lead_is_honoured_to_the_millisecond(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("t0").await?);
    for lead_ms in [0, 1, 500, 60_000] {
        let lead = ClaimLead::new(std::time::Duration::from_millis(lead_ms))?;
        let horizon = a.manager.now().await?.saturating_add(lead.duration())?;
        let mut claims: Vec<Claim> = Vec::new();
        for off in -30..=60 {
            let name = format!("lead {lead_ms} ms, {off} ms off");
            let task = sexton_core::name::TaskName::new(name)?;
            let tick = Tick::at_or_before(horizon).saturating_add_millis(off);
            claims.push(a.asks(&digest.of(&task).at(tick)));
        }
        let answer = a.manager.claim(lead, &claims).await?.whole()?;
        let horizon = answer.now.saturating_add(lead.duration())?;
        for (claim, verdict) in claims.iter().zip(answer.value) {
            let is_early = claim.execution.tick.timestamp() > horizon;
            assert_eq!(
                verdict == Verdict::Denied(Denial::TooEarly),
                is_early,
                "{} at the store's {} with a lead of {lead_ms} ms was {verdict:?}",
                claim.execution,
                answer.now
            );
        }
    }
    Ok(())
}

pub(crate) async fn a_tick_of_any_year_can_be_claimed(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let past = [Tick::MIN.as_millis(), -62_135_596_800_000, -1_001, -1, 0, 1];
    for tick in past.into_iter().filter_map(Tick::from_millis) {
        let held = a.run(&digest.at(tick)).await?;
        assert_eq!(held.lock.execution.tick, tick);
        b.denied(&b.asks(&digest.at(tick)), Denial::Taken).await?;
    }
    let never = b.asks(&digest.at(Tick::MAX));
    let lead = ClaimLead::new(ClaimLead::MAX)?;
    let verdict = b.claim_ahead(&never, lead).await?.value;
    assert_eq!(
        verdict,
        Verdict::Denied(Denial::TooEarly),
        "the last tick of all"
    );
    Ok(())
}

pub(crate) async fn all_thousand_indices_of_a_tick_are_granted_once(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let mut claims = Vec::new();
    for index in 1..=1_000 {
        claims.push(a.asks(&digest.index(index)?.nth(0)).of(1_000)?);
    }
    for (claim, verdict) in claims.iter().zip(a.claim_all(&claims).await?) {
        assert!(
            matches!(&verdict, Verdict::Granted(grant) if grant.fence == Fence::new(1)),
            "{} was {verdict:?}",
            claim.execution
        );
    }
    let index_1000 = b.asks(&digest.index(1_000)?.nth(0)).of(1_000)?;
    b.denied(&index_1000, Denial::Taken).await
}

pub(crate) async fn a_grant_that_needs_a_lease_has_one_from_the_stores_now(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let claims = [
        a.asks(&digest.nth(0)).at_least_once(2),
        a.asks(&digest.of(&bench.task("b").await?.task).nth(0))
            .overlap(Overlap::Skip),
        a.asks(&digest.of(&bench.task("c").await?.task).nth(0))
            .overlap(Overlap::QueueOne),
        a.asks(&digest.of(&bench.task("d").await?.task).nth(0))
            .overlap(Overlap::CancelEarlier),
    ];
    for claim in claims {
        let claim = claim.lease(long()?);
        let answer = a.claim_ahead(&claim, ClaimLead::ZERO).await?;
        let Verdict::Granted(grant) = answer.value else {
            return Err(Failure::new(format_args!("{claim:?} was denied")));
        };
        let expected = answer.now.saturating_add(claim.lease.duration())?;
        let off = grant
            .lease_until
            .map(|until| until.duration_since(expected).abs());
        assert!(
            off.is_some_and(|off| off.as_millis() <= 1),
            "the lease should end at {expected}, but ends at {:?}",
            grant.lease_until
        );
    }
    Ok(())
}

pub(crate) async fn nothing_has_to_exist_beforehand(bench: Bench) -> Result<(), Failure> {
    let manager = bench.open().await?;
    assert_eq!(manager.namespace(), bench.namespace(), "the namespace");
    assert!(
        !manager.location().is_empty(),
        "a store says where it is, for people to read"
    );
    let now = manager.now().await?;
    let claimed = manager.claim(ClaimLead::ZERO, &[]).await?;
    assert!(claimed.now >= now, "the answer carries the store's clock");
    assert!(claimed.value.is_empty());
    Ok(())
}
